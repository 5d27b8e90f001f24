"""The transport problems that ours and its peers share."""
import numpy

ROUNDS = 200
TYPES = ("float64", "float32")


def clouds(answers, count, kind):
    return tuple(answers[name][:count].numpy().astype(kind) for name in "xy")


def equal_weights(count, kind):
    return numpy.full(count, 1 / count, kind)


def regularization(cost):
    return 0.05 * float(cost.mean(dtype="float64"))


def exact_cost(answers, count):
    x, y = clouds(answers, count, "float64")
    return (x**2).sum(1)[:, None] + (y**2).sum(1) - 2 * x @ y.T


def exact_plan(cost):
    """By scalings in float64 until the columns match; at this regularization nothing underflows."""
    kernel = numpy.exp(-cost / regularization(cost))
    weight = 1 / len(cost)
    u = numpy.full(len(cost), weight)
    for _ in range(5000):
        v = weight / (kernel.T @ u)
        u = weight / (kernel @ v)
        if abs(v * (kernel.T @ u) - weight).sum() < 1e-13:
            break
    return u[:, None] * kernel * v
