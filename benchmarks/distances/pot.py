"""The same by POT: the cost matrix, and the plain scalings of ot.sinkhorn."""
import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1] / "support")
import ot
import torch
from peer import arguments, error, serve
from transport import ROUNDS, TYPES, clouds, equal_weights, exact_cost, exact_plan, regularization


def sinkhorn(cost):
    weights = equal_weights(len(cost), cost.dtype)
    return ot.sinkhorn(weights, weights, cost, regularization(cost), numItermax=ROUNDS, stopThr=0, warn=False)


def main():
    _, ours = arguments()
    errors, cases = {}, {}
    for count in (500, 2000):
        cost = exact_cost(ours, count)
        exact = {"cost": torch.from_numpy(cost), "plan": torch.from_numpy(exact_plan(cost))}
        for kind in TYPES:
            x, y = clouds(ours, count, kind)
            theirs = {"cost": ot.dist(x, y)}
            theirs["plan"] = sinkhorn(theirs["cost"])
            for what, value in theirs.items():
                errors[f"{what}/{kind}/{count}"] = {"ours": error(ours[f"ours/{what}/{kind}/{count}"], exact[what]),
                                                    "theirs": error(torch.from_numpy(value), exact[what])}
            cases[f"Sinkhorn, n = {count}, {kind}"] = {"scalings": lambda cost=theirs["cost"]: sinkhorn(cost)}
            if count == 2000:
                cases[f"cost, n = {count}, {kind}"] = {"ot.dist": lambda x=x, y=y: ot.dist(x, y)}
            else:
                cases[f"8 costs and Sinkhorns, n = {count}, {kind}"] = {
                    "scalings": lambda x=x, y=y: [sinkhorn(ot.dist(x, y)) for _ in range(8)]}
    serve(errors, cases, {"POT": ot.__version__})


main()
