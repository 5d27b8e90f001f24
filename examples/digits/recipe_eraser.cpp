#include "model_of.hpp"

digits::recipe_entry digits::eraser_entry() { return entry_of<eraser_recipe>(); }
