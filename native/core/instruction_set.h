#pragma once

namespace eigenae {

// The instruction set the kernels run on here, by the name that is shown to people.
const char* instructionSet();

}  // namespace eigenae
