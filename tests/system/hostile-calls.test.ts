import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const script = join(import.meta.dirname, '../support/hostile-calls.mjs')

describe("the core's interfaces", () => {
  it.each(['native', 'wasm'])('reject every wrong argument of %s by its name', (door) => {
    const { status, stdout } = spawnSync(process.execPath, [script, '--door', door], { encoding: 'utf8' })
    expect(stdout).toMatch(/: \d{4} calls, \d+ passed, 0 failed\n$/)
    expect(status).toBe(0)
  })
})
