import { defineConfig } from 'vitest/config'

/**
 * `npm test` is what a change needs within three minutes. tests/system/ has what takes longer (whole trainings beside
 * PyTorch's), or needs more than Node and a compiler (Slurm, TensorFlow's wheel, Python's libraries, an emulator), and is
 * run by `npm run test:system`.
 */
export default defineConfig(({ mode }) => ({
  test: {
    include: mode === 'system' ? ['tests/system/**/*.test.ts'] : ['tests/**/*.test.ts'],
    exclude: mode === 'system' ? [] : ['tests/system/**'],
    // They end what hangs; no test is a race against them.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 120_000 } },
    // Tests start processes that train on every core: more files at once would only measure each other.
    maxWorkers: 2,
  },
}))
