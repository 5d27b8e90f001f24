#include "model_of.hpp"

digits::recipe_entry digits::ddpm_entry() { return entry_of<ddpm_recipe>(); }
