# SPDX-License-Identifier: Apache-2.0
"""What the tables of benchmarks/diffusion.py say."""

NOTES = {
    "Toy law": (
        "`make_tokens(length=8, n_symbols=4, coupling=4)`, a law a seed, 5 seeds, "
        "mean and half the 95 % interval (Student); 10000 samples, whose own distance"
        " from the law is the last row. One denoiser a seed (width 48, two blocks, "
        "1500 steps of 256), guides with 64 + 64 units and features of width 32 (700 "
        "steps of 128, 8 false candidates each), 8 candidates. Cut: 1 - TV / TV of "
        "unguided, paired by seed. The exact energy runs on exact conditionals."
    ),
    "Importance weights": (
        "Exact energy and conditionals, 10 contexts with 4 of 8 tokens masked, 20000 "
        "repeats; the estimate is of the chance that the candidate is one of the "
        "likeliest. Slope of log bias on log k from k = 16: {slope}. The noise of the"
        " bias is reduced by an unnormalised estimate from the same draws, whose mean"
        " is known."
    ),
    "Bits a character": (
        "Tiny Shakespeare (or --corpus), windows of 32 characters, first 90 % to "
        "learn, 1000 windows of the rest. One denoiser and one judge for all seeds; "
        "both have width 128 and three blocks and begin each window without context. "
        "4000 steps of 128 windows for the denoiser, 3000 for the judge, bfloat16 "
        "products."
    ),
    "Text": (
        "512 samples of 32 characters a seed, 5 seeds of guide and draws on one "
        "denoiser and one judge; the guide calls no denoiser, so that rows of the "
        "same steps have equal denoiser calls. Guides: 128 + 128 units, features of "
        "width 64, 1000 steps of 64 windows, 8 candidates. Perplexity: exponential of"
        " the judge's mean nats a character. Differences are paired by seed, with "
        "half the 95 % interval (Student); below zero is better. Low perplexity with "
        "low entropy is collapse."
    ),
    "Cost of guidance": (
        "CPU milliseconds on one core, 9 rounds in turn, mean (least to greatest); 65"
        " symbols, 32 tokens, features of width 64 that both energies share, 256 + "
        "256 units against 256 + 256 of the MLP (GELU). Rows without features compare"
        " with the MLP without them. Single calls: 16 timed, scaled to 512."
    ),
    "Engines": (
        "Machines of 12 + 12 units, trained on the toy law as the graph allows "
        "(exactly, or by heat bath); 64 half masked sequences with 8 candidates, 16 "
        "reads, 5 seeds with half the 95 % interval. Error around the mean of a "
        "sequence's candidates, which no choice sees; TV between the weights of the "
        "candidates and the exact ones. Reads enter as conditional means: without "
        "couplings any reads give the exact answer."
    ),
}
