// Preloaded into the command line: in processes that train, the clock is so fast that a second passes within every epoch. So a
// run saves each of its epochs, on fast and slow machines. A sweep's own process keeps its clock, by which it polls Slurm.
if (['train', 'sweep-runner', 'sweep-job'].includes(process.argv[2])) {
  const now = performance.now.bind(performance)
  performance.now = () => 1e4 * now()
}
