// A corruption with noise needs a schedule that says how much.
#include <softscore/corruption/background_corruption.hpp>
#include <softscore/corruption/corruption.hpp>
#include <softscore/corruption/severity.hpp>
#include <softscore/operator/eraser.hpp>

#ifdef SOFTSCORE_TWIN
const softscore::background_corruption erasing{softscore::eraser{}, softscore::severity{}};
#else
const softscore::corruption erasing{softscore::eraser{}, softscore::severity{}};
#endif
