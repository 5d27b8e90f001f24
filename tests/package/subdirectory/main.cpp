#include <softscore/core/shape.hpp>

int main() { return softscore::shape{2, 3, 4, 5}.size() == 120 ? 0 : 1; }
