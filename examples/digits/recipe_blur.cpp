#include "model_of.hpp"

digits::recipe_entry digits::blur_entry() { return entry_of<blur_recipe>(); }
