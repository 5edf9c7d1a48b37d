// Preloaded into the command line: its clock is so fast that a second passes within every epoch. So a run saves each of its
// epochs, on fast and slow machines.
const now = performance.now.bind(performance)
performance.now = () => 1e4 * now()
