"""The cost matrix by SciPy, and the Frechet distance as it is commonly written, with SciPy's square root."""
import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1] / "support")
import numpy
import scipy
import torch
from peer import arguments, error, serve
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist
from transport import clouds, exact_cost


def moments(rows):
    rows = rows.numpy().astype("float64")
    return rows.mean(0), numpy.cov(rows, rowvar=False)


def frechet(a, b):
    return ((a[0] - b[0])**2).sum() + numpy.trace(a[1] + b[1] - 2 * sqrtm(a[1] @ b[1]).real)


def exact_frechet(a, b):
    """By symmetric eigenvalues; the covariances have full rank."""
    values, vectors = numpy.linalg.eigh(a[1])
    root = vectors * numpy.sqrt(values)
    cross = numpy.sqrt(numpy.linalg.eigvalsh(root.T @ b[1] @ root)).sum()
    return ((a[0] - b[0])**2).sum() + numpy.trace(a[1]) + numpy.trace(b[1]) - 2 * cross


def main():
    _, ours = arguments()
    x, y = clouds(ours, 2000, "float64")
    exact = torch.from_numpy(exact_cost(ours, 2000))
    errors = {"cost/float64/2000": {"ours": error(ours["ours/cost/float64/2000"], exact),
                                    "theirs": error(torch.from_numpy(cdist(x, y, "sqeuclidean")), exact)}}
    cases = {"cost, n = 2000, float64": {"cdist": lambda: cdist(x, y, "sqeuclidean")}}
    for features in (256, 2048):
        a, b = moments(ours[f"a/{features}"]), moments(ours[f"b/{features}"])
        exact = torch.tensor([exact_frechet(a, b)])
        errors[f"frechet/{features}"] = {"ours": error(ours[f"ours/frechet/{features}"], exact),
                                         "theirs": error(torch.tensor([frechet(a, b)]), exact)}
        cases[f"Frechet, d = {features}"] = {"sqrtm": lambda a=a, b=b: frechet(a, b)}
    serve(errors, cases, {"SciPy": scipy.__version__}, slow=["Frechet, d = 2048"])


main()
