"""The 10-minute programmes of a problem through HiGHS, for docs/benchmarks.md.

Reads what WRITE_PROBLEM=problem.json go test -bench Year7x6 wrote, builds for each
step the linear programme of docs/heat-matching.md with the same reduction that our
solver makes (neighbouring segments that reach the same sinks are one node), and
solves them with HiGHS: one call a step, or blocks of steps in one programme.

    pip install highspy numpy
    python3 highs.py problem.json [--block 1] [--steps N] [--processes 2] [--presolve off]
"""
import argparse
import json
import time
from multiprocessing import Pool

import highspy
import numpy as np

P = None
PRESOLVE = "choose"


def nodes(i):
    """Source and sink nodes of step i: (stream, level, kW)."""
    streams = []
    for kind in ("Sources", "Sinks"):
        for k, s in enumerate(P[kind]):
            if s["KW"][i] > 0:
                a, b = s["HighC"][i], s["LowC"][i]
                streams.append((kind == "Sources", k, max(a, b), min(a, b), s["KW"][i]))
    cuts = sorted({t for s in streams for t in s[2:4]}, reverse=True)
    sources, sinks, level, any_source, sink_last = {}, {}, 0, False, False
    for n, t in enumerate(cuts):
        rungs = [[(s[0], s[1], s[4]) for s in streams if s[2] == t == s[3]]]
        if n + 1 < len(cuts):
            low = cuts[n + 1]
            rungs.append([(s[0], s[1], s[4] * (t - low) / (s[2] - s[3])) for s in streams if s[2] >= t and s[3] <= low and s[2] > s[3]])
        for rung in rungs:
            for hot, k, q in rung:
                if hot:
                    if sink_last:
                        level, sink_last = level + 1, False
                    any_source = True
                    sources[(k, level)] = sources.get((k, level), 0) + q
            for hot, k, q in rung:
                if not hot and any_source:
                    sink_last = True
                    sinks[(k, level)] = sinks.get((k, level), 0) + q
    return list(sources.items()), list(sinks.items())


def programme(i):
    """Columns of step i: row of source, row of sink, gain; and the rows' limits."""
    src, snk = nodes(i)
    gain = P["Gain"]
    a, b, g = [], [], []
    for r, ((s, ls), _) in enumerate(src):
        for c, ((d, ld), _) in enumerate(snk):
            if gain[s][d] > 0 and ls <= ld:
                a.append(r)
                b.append(len(src) + c)
                g.append(gain[s][d])
    return np.array(a, int), np.array(b, int), np.array(g), np.array([q for _, q in src] + [q for _, q in snk])


def solve(steps):
    """Delivered kW of some steps as one programme, and the CPU-seconds inside HiGHS."""
    parts = [programme(i) for i in steps]
    rows = np.cumsum([0] + [len(p[3]) for p in parts])
    a = np.concatenate([p[0] + r for p, r in zip(parts, rows)])
    b = np.concatenate([p[1] + r for p, r in zip(parts, rows)])
    g = np.concatenate([p[2] for p in parts])
    n = len(a)
    if n == 0:
        return 0.0, 0.0
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = n, int(rows[-1])
    lp.col_cost_ = -np.ones(n)
    lp.col_lower_, lp.col_upper_ = np.zeros(n), np.full(n, highspy.kHighsInf)
    lp.row_lower_, lp.row_upper_ = np.full(lp.num_row_, -highspy.kHighsInf), np.concatenate([p[3] for p in parts])
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_ = np.arange(0, 2 * n + 1, 2)
    lp.a_matrix_.index_ = np.stack([a, b], 1).ravel()
    lp.a_matrix_.value_ = np.stack([1 / g, np.ones(n)], 1).ravel()
    h = highspy.Highs()
    h.setOptionValue("output_flag", False)
    h.setOptionValue("threads", 1)
    h.setOptionValue("presolve", PRESOLVE)
    began = time.process_time()
    h.passModel(lp)
    h.run()
    took = time.process_time() - began
    if h.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise SystemExit(f"steps {steps[0]}..: {h.getModelStatus()}")
    return -h.getInfo().objective_function_value, took


def main():
    global P, PRESOLVE
    args = argparse.ArgumentParser()
    args.add_argument("problem")
    args.add_argument("--block", type=int, default=1)
    args.add_argument("--steps", type=int)
    args.add_argument("--processes", type=int, default=2)
    args.add_argument("--presolve", default="choose", choices=["choose", "on", "off"])
    o = args.parse_args()
    PRESOLVE = o.presolve
    with open(o.problem) as f:
        P = json.load(f)
    steps = list(range(min(o.steps or P["Steps"], P["Steps"])))
    blocks = [steps[k:k + o.block] for k in range(0, len(steps), o.block)]
    began = time.perf_counter()
    with Pool(o.processes) as pool:
        done = pool.map(solve, blocks, chunksize=max(1, 200 // o.block))
    wall = time.perf_counter() - began
    mwh = sum(x[0] for x in done) * P["Hours"] / 1000
    inside = sum(x[1] for x in done)
    print(f"{len(steps)} steps: {mwh:.6f} MWh; {inside:.1f} CPU-seconds inside HiGHS; {wall:.1f} s wall on {o.processes} processes, building included")


if __name__ == "__main__":
    main()
