import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Tests start processes that train on every core: more files at once would only measure each other.
    maxWorkers: 2,
  },
})
