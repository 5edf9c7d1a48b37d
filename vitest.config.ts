import { defineConfig } from 'vitest/config'

/**
 * `npm test` prints how long it takes. `npm run test:system` runs tests/system/, which takes longer (whole trainings beside
 * PyTorch's) or needs more than Node and a compiler (Slurm, TensorFlow's wheel, Python packages, an emulator).
 */
export default defineConfig(({ mode }) => {
  // Node reads a file of additional certificates at each start, which takes 45 ms, and `npm test` starts hundreds of processes
  // without a use for it.
  if (mode !== 'system') delete process.env.NODE_EXTRA_CA_CERTS
  return {
    test: {
      include: mode === 'system' ? ['tests/system/**/*.test.ts'] : ['tests/**/*.test.ts'],
      exclude: mode === 'system' ? [] : ['tests/system/**'],
      // Timeouts end tests that hang. No result depends on them.
      testTimeout: 180_000,
      hookTimeout: 180_000,
      expect: { poll: { timeout: 120_000 } },
      // A third worker uses the cores while the tests of others wait for processes. Those train on all cores, so more would
      // slow each other down.
      maxWorkers: 3,
      // A worker runs its files in one process, with the modules that it has loaded. Each system test gets a process of its own,
      // as some measure its memory.
      isolate: mode === 'system',
      // Tests call the built command line itself.
      server: { deps: { external: [/\/dist\/bundled\//] } },
    },
  }
})
