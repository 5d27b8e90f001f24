#include <softscore/core/noise.hpp>
#include <softscore/core/shape.hpp>

int main() { return softscore::shape{1, 1, 28, 28}.size() == 784 ? 0 : 1; }
