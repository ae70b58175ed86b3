# SPDX-License-Identifier: Apache-2.0
"""What the tables of benchmarks/diffusion.py say."""

NULL = (
    " A random candidate has the law of unguided sampling, so that its row shows what "
    "chance does; an interval over two or three seeds is a poor one, and a difference "
    "no larger than that row's says nothing."
)

NOTES = {
    "Toy law": (
        "`make_tokens(length=8, n_symbols=4, coupling=4)`, a law a seed; mean and "
        "half the 95 % interval (Student) over the seeds. 4000 samples, whose own "
        "distance from the law is the last row. One denoiser a seed (width 48, two "
        "blocks, 1000 steps of 256 sequences); guides with 64 + 64 units and "
        "features of width 32 (350 steps of 128, 8 false candidates each); 8 "
        "candidates. Cut: 1 - TV / TV of unguided, paired by seed. The exact energy "
        "runs on exact conditionals, at 4 steps; the rows of 8 rounds, 64 "
        "energies a step, are measured there alone. Tried besides, on single laws. "
        "(1) The exact energy of "
        "drawn candidates, with the fitted denoiser, bounds what any energy can do: "
        "laws 0 and 1, 8 candidates cut 39 % and 24 %, 32 candidates 53 % and 35 %, "
        "128 candidates 65 % and 46 %, 8 rounds of 8 63 % and 42 %, 32 rounds of 8 76 "
        "% and 64 %. (2) Law 1, false candidates half of which keep a random part of "
        "the truth: 19 % with 8 candidates, 30 % with 64, 31 % with 8 rounds of 8, "
        "against 18 %, 28 % and 31 % without. (3) The same for 1000 steps, 2000 "
        "samples: 19 %, 31 %, 29 %. (4) 64 candidates in one round: 46 % on "
        "law 0, 28 % on law 1, 24 % on law 2. (5) Law 1, 16 rounds of 8: 37 %." + NULL
    ),
    "Importance weights": (
        "Exact energy and conditionals of laws of three couplings, 10 contexts with "
        "3 of 8 tokens masked, 20000 repeats; the estimate is of the chance that "
        "the candidate is one of the likeliest. An unnormalised estimate from the "
        "same draws, whose mean is known, takes most of the noise off the bias. "
        "Where it falls as 1 / k, k times it is constant: from the k on that "
        "exceeds the weights, which grow with the coupling."
    ),
    "Bits a character": (
        "Tiny Shakespeare (or --corpus), windows of 32 characters, first 90 % to "
        "learn, 1000 windows of the rest. Width 64, two blocks, 2000 steps of 64 "
        "windows; judge of width 64, two blocks, 1500 steps. Each window begins "
        "without context."
    ),
    "Text": (
        "256 samples of 32 characters a seed. One denoiser and one judge for all "
        "seeds: a seed is that of the guides and of the draws. The guides call no "
        "denoiser, so that rows of the same steps have equal denoiser calls. "
        "Guides: 128 + 128 units, features of width 48, 300 steps of 16 windows "
        "with 8 false candidates; 8 candidates. Perplexity: exponential of the "
        "judge's mean nats a character. Differences are paired by seed, with half "
        "the 95 % interval (Student); below zero is better. Low perplexity with low "
        "entropy is collapse. Milliseconds are CPU time of one core." + NULL
    ),
    "Cost of guidance": (
        "CPU milliseconds on one core, 9 rounds in turn, mean (least to greatest); "
        "65 symbols, 32 tokens, features of width 64 that both energies share, 256 "
        "+ 256 units against 256 + 256 of the MLP (GELU). Rows without features "
        "compare with the MLP without them. Single calls: 16 timed, scaled to 512."
    ),
    "Engines": (
        "Machines of 12 + 12 units, trained on the toy law for 150 steps as the "
        "graph allows (exactly, or by heat bath); 64 partly masked sequences with 8 "
        "candidates, 16 reads; half the 95 % interval over the seeds. Error around "
        "the mean of a sequence's candidates, which no choice sees; TV between the "
        "weights of the candidates and the exact ones. Without couplings among "
        "hidden units any reads give the exact answer."
    ),
}
