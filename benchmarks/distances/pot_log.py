"""The same by POT in the log domain, which is stable as ours is."""
import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1] / "support")
import ot
import torch
from peer import arguments, error, serve
from transport import ROUNDS, clouds, equal_weights, exact_cost, exact_plan, regularization


def sinkhorn(cost):
    weights = equal_weights(len(cost), cost.dtype)
    return ot.bregman.sinkhorn_log(weights, weights, cost, regularization(cost), numItermax=ROUNDS, stopThr=0,
                                   warn=False)


def main():
    _, ours = arguments()
    cost = exact_cost(ours, 500)
    exact = torch.from_numpy(exact_plan(cost))
    errors = {"plan/float64/500": {"ours": error(ours["ours/plan/float64/500"], exact),
                                   "theirs": error(torch.from_numpy(sinkhorn(cost)), exact)}}
    cases = {}
    for count in (500, 2000):
        cost = ot.dist(*clouds(ours, count, "float64"))
        cases[f"Sinkhorn, n = {count}, float64"] = {"log domain": lambda cost=cost: sinkhorn(cost)}
    serve(errors, cases, {"POT": ot.__version__}, slow=["Sinkhorn, n = 2000, float64"])


main()
