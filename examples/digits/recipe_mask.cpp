#include "model_of.hpp"

digits::recipe_entry digits::mask_entry() { return entry_of<mask_recipe>(); }
