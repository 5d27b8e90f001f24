#pragma once

namespace common {}

namespace digits {

using namespace common;  // what programs share

}  // namespace digits
