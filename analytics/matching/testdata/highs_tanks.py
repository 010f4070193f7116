"""A problem with heat pumps and tanks as one linear programme through HiGHS.

Reads what WRITE_PROBLEM=problem.json go test -bench 'StoredDay$' -benchtime 1x ./analytics/matching
wrote and states the programme of docs/heat-matching.md over all its steps, with
nothing of our decomposition. For docs/benchmarks.md.

    pip install highspy numpy
    python3 highs_tanks.py problem.json [--steps N] [--solver ipm]
"""
import argparse
import json
import math
import time

import highspy
import numpy as np


def intervals(streams, i):
    """Intervals of a step, cut at all temperatures, neighbours of like reach joined."""
    run = [(hot, k, max(a, b), min(a, b), q) for hot, k, a, b, q in
           ((hot, k, s["HighC"][i], s["LowC"][i], s["KW"][i]) for hot, k, s in streams) if q > 0]
    cuts = sorted({t for r in run for t in r[2:4]})
    cut = {True: [], False: []}
    for hot, k, hi, lo, q in run:
        if hi == lo:
            cut[hot].append([k, hi, lo, q])
        else:
            inner = [t for t in cuts if lo <= t <= hi]
            cut[hot] += [[k, b, a, q * (b - a) / (hi - lo)] for a, b in zip(inner, inner[1:])]
    joined = {}
    for hot in (True, False):
        out, last = [], None
        for x in cut[hot]:
            reach = (x[0], tuple((x[2] >= y[2] and x[1] >= y[1]) if hot else (y[2] >= x[2] and y[1] >= x[1]) for y in cut[not hot]))
            if reach == last:
                out[-1][1] = x[1]
                out[-1][3] += x[3]
            else:
                out.append(list(x))
            last = reach
        joined[hot] = out
    return joined[True], joined[False]


def mean(x):
    a, b = x[1] + 273.15, x[2] + 273.15
    return a if a == b else (a - b) / math.log(a / b)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("problem")
    args.add_argument("--steps", type=int)
    args.add_argument("--solver", default="choose")
    o = args.parse_args()
    with open(o.problem) as f:
        both = json.load(f)
    p, tanks = both["Problem"], both["Tanks"] or []
    steps, h, m = min(o.steps or p["Steps"], p["Steps"]), p["Hours"], p["Machine"]
    flat = lambda t: {"KW": [min(t["PowerKW"], t["CapacityKWh"] / h)] * p["Steps"], "HighC": [t["LevelC"]] * p["Steps"], "LowC": [t["LevelC"]] * p["Steps"]}
    ns, nd = len(p["Sources"]), len(p["Sinks"])
    streams = [(True, k, s) for k, s in enumerate(p["Sources"] + [flat(t) for t in tanks])]
    streams += [(False, k, s) for k, s in enumerate(p["Sinks"] + [flat(t) for t in tanks])]
    direct, lifts = {}, {}
    weight = lambda s, d: p["Weight"][s][d] if p["Weight"] else 1
    for s in range(ns):
        for d in range(nd):
            if p["Gain"][s][d] > 0:
                direct[s, d] = (p["Gain"][s][d], weight(s, d))
    for x in p["Lifts"] or []:
        lifts.setdefault((x["Source"], x["Sink"]), []).append((x["Gain"], weight(x["Source"], x["Sink"]) - x["Cost"], x["MaxC"]))
    for k, t in enumerate(tanks):
        worth = lambda d: t["Worth"][d] if t["Worth"] else 1
        direct.update({(s, nd + k): (g, 0) for s, g in enumerate(t["In"]) if g > 0})
        direct.update({(ns + k, d): (g, worth(d)) for d, g in enumerate(t["Out"]) if g > 0})
        for x in t["InLifts"] or []:
            lifts.setdefault((x["Source"], nd + k), []).append((x["Gain"], -x["Cost"], x["MaxC"]))
        for x in t["OutLifts"] or []:
            lifts.setdefault((ns + k, x["Sink"]), []).append((x["Gain"], worth(x["Sink"]) - x["Cost"], x["MaxC"]))
    # Columns: contents first, then arcs. Rows: balances first (<= 0: heat may be let off).
    nt = len(tanks)
    kept = [(1 - t["LossPerHour"]) ** h for t in tanks]
    cost, upper, index, value, start = [], [], [], [], [0]
    row_upper = [0.0] * (steps * nt)
    for i in range(steps):
        for k, t in enumerate(tanks):
            index.append(i * nt + k)
            value.append(1.0)
            if i + 1 < steps:
                index.append((i + 1) * nt + k)
                value.append(-kept[k])
            cost.append(0.0)
            upper.append(t["CapacityKWh"])
            start.append(len(index))
    for i in range(steps):
        src, snk = intervals(streams, i)
        base = len(row_upper)
        row_upper += [x[3] for x in src] + [y[3] for y in snk]
        for a, x in enumerate(src):
            for b, y in enumerate(snk):
                arcs = []
                if (x[0], y[0]) in direct and x[2] >= y[2] and x[1] >= y[1]:
                    g, w = direct[x[0], y[0]]
                    arcs.append((1 / g, w))
                for g, w, limit in lifts.get((x[0], y[0]), []):
                    share = max((mean(y) - mean(x)) / (m["Efficiency"] * mean(y)), 1 / m["MaxCOP"])
                    if share < 1 and y[1] <= limit + 1e-9:
                        arcs.append(((1 - share) / g, w - m["Electricity"] * share))
                for inverse, w in arcs:
                    if y[0] >= nd:
                        index.append(i * nt + y[0] - nd)
                        value.append(-h)
                    if x[0] >= ns:
                        index.append(i * nt + x[0] - ns)
                        value.append(inverse * h)
                    index += [base + a, base + len(src) + b]
                    value += [inverse, 1.0]
                    cost.append(-w * h)
                    upper.append(highspy.kHighsInf)
                    start.append(len(index))
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(cost), len(row_upper)
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = np.array(cost), np.zeros(len(cost)), np.array(upper)
    lp.row_lower_, lp.row_upper_ = np.full(len(row_upper), -highspy.kHighsInf), np.array(row_upper)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = np.array(start), np.array(index), np.array(value)
    s = highspy.Highs()
    s.setOptionValue("output_flag", False)
    s.setOptionValue("solver", o.solver)
    began, cpu = time.perf_counter(), time.process_time()
    s.passModel(lp)
    s.run()
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(f"{steps} steps, {lp.num_row_} rows, {lp.num_col_} columns: {-s.getInfo().objective_function_value / 1000:.6f} MWh, "
          f"{s.modelStatusToString(s.getModelStatus())}; {cpu:.1f} CPU-seconds inside HiGHS, {took:.1f} s on the clock")


if __name__ == "__main__":
    main()
