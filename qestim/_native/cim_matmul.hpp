// SPDX-License-Identifier: Apache-2.0
// Included once for each instruction set. F = J X for tiles of reads: X is
// [tile][spin][lane], a tile being two vectors of lanes; and sums of a sparse row.

constexpr int kTileVectors = 2;
constexpr int kWide = QESTIM_WIDTH / 4;  // reads in a vector
constexpr int kLanes = kTileVectors * kWide;
// Rows of J whose sums fit into the registers beside the tile's vectors.
constexpr int kHeight = QESTIM_WIDTH == 64 ? 12 : QESTIM_WIDTH == 32 ? 6 : 4;
using Real = Pack<QESTIM_WIDTH>::f32;

// kHeight rows of F += the columns [from, to) of J times X, each sum in registers.
QESTIM_FORCE void panel_sums(const float* __restrict panel, const float* __restrict x,
                             int64_t columns, bool first, float* __restrict out) {
    Real sum[kHeight][kTileVectors];
    for (int r = 0; r < kHeight; ++r)
        for (int v = 0; v < kTileVectors; ++v)
            sum[r][v] = first ? Real{}
                              : reinterpret_cast<const Real*>(out + r * kLanes)[v];
    for (int64_t k = 0; k < columns; ++k) {
        const Real* lanes = reinterpret_cast<const Real*>(x + k * kLanes);
        const Real x0 = lanes[0], x1 = lanes[1];
        const float* w = panel + k * kHeight;
#pragma GCC unroll 12
        for (int r = 0; r < kHeight; ++r) {
            sum[r][0] += w[r] * x0;
            sum[r][1] += w[r] * x1;
        }
    }
    for (int r = 0; r < kHeight; ++r)
        for (int v = 0; v < kTileVectors; ++v)
            reinterpret_cast<Real*>(out + r * kLanes)[v] = sum[r][v];
}

// Blocks: of X columns for the first cache, of J for the second.
QESTIM_TARGET void multiply_dense(const Feedback& J, const float* x, float* f,
                                  int64_t tiles) {
    constexpr int64_t kColumns = 192, kPanels = 32;
    const int64_t tile = J.padded * kLanes, panels = J.padded / kHeight;
    for (int64_t at = 0; at < J.n; at += kColumns) {
        const int64_t columns = std::min(kColumns, J.n - at);
        for (int64_t block = 0; block < panels; block += kPanels)
            for (int64_t t = 0; t < tiles; ++t)
                for (int64_t p = block; p < std::min(panels, block + kPanels); ++p)
                    panel_sums(J.panels.data() + (p * J.n + at) * kHeight,
                               x + t * tile + at * kLanes, columns, at == 0,
                               f + t * tile + p * kHeight * kLanes);
    }
}

// The sum over the neighbours of spin i of one vector of reads, [spin][lane].
QESTIM_FORCE Real row_sum(const Feedback& J, const float* x, int64_t i) {
    Real sum{};
    for (int64_t e = J.begin[i]; e < J.begin[i + 1]; ++e)
        sum += J.weight[e] *
               *reinterpret_cast<const Real*>(x + int64_t{J.neighbour[e]} * kWide);
    return sum;
}
