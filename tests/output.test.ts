import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { eigenae, scratchFolder } from './support/cli.js'
import { writeRun } from './support/run-folder.js'
import { sealRun } from './support/seal.js'

// Clears the screen, sets a title, starts a C1 sequence, reverses text, breaks a line invisibly, and is invalid in XML.
const evil = '\x1b[2J\x1b]0;owned\x07\x9b31m\u202egnp\u2028\x7f\x01\ufffe'
const shown = '\\x1b[2J\\x1b]0;owned\\x07\\x9b31m\\u{202e}gnp\\u{2028}\\x7f\\x01\\u{fffe}'
const raw = /(?![\n\t])[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\ufffe\uffff]/u

const scratch = scratchFolder()
const cwd = scratch()
const [first, second] = [`first ${evil}`, `second ${evil}`]

beforeAll(() => {
  for (const [folder, seed] of [first, second].flatMap((each) => [0, 1].map((seed) => [each, seed] as const)))
    writeRun(join(cwd, 'runs', folder, `seed-${seed}`), { name: evil, seed, noise: 0.1 * seed })
  const failed = writeRun(join(cwd, 'failed'), { status: 'failed' })
  sealRun(failed, { device: evil, error: evil, name: evil })
})

describe('control characters in foreign text', () => {
  it.each([
    ['runs', 'runs'],
    ['runs', 'failed'],
    ['runs', 'runs', '--json'],
    ['runs', 'runs', '--csv', '--columns', 'name'],
    ['runs', 'runs', '--where', `name="${evil}"`, '--where', `${evil}=1`],
    ['best', join('runs', first), join('runs', second), '--metric', 'test_mse'],
    ['compare', join('runs', first), join('runs', second)],
    ['compare', join('runs', first), join('runs', second), '--json'],
    ['compare', join('runs', first), evil],
    ['compare', `--${evil}`],
    ['train', '--config', evil],
    ['train', '--config', join('failed', 'config.json'), '--out', 'failed', '--resume'],
    ['eval', join('runs', first, 'seed-0')],
    ['plot', join('runs', first)],
    ['export', evil, '--format', 'onnx', '--out', 'out'],
  ])('are printed visibly and not obeyed: case %#', async (...args) => {
    const { stdout, stderr } = await eigenae(args, { cwd })
    expect(stdout + stderr).not.toBe('')
    expect(stdout).not.toMatch(raw)
    expect(stderr).not.toMatch(raw)
  })

  it('are printed as escape sequences', async () => {
    const { stderr } = await eigenae(['compare', evil], { cwd })
    expect(stderr).toContain(shown)
  })

  it('survive a round trip through JSON', async () => {
    const { stdout } = await eigenae(['runs', 'runs', '--json'], { cwd })
    expect(JSON.parse(stdout).map(({ name }: { name: string }) => name)).toContain(evil)
  })

  it('in the status line of a server are not obeyed', async () => {
    const server = createServer((_, response) => response.writeHead(404, '\x9b2J gone').end()).listen(0)
    const { port } = server.address() as AddressInfo
    const args = ['data', 'fetch', '--mirror', `http://localhost:${port}/`, '--out', 'fetched']
    const { stderr, code } = await eigenae(args, { cwd })
    server.close()
    expect(code).toBe(1)
    expect(stderr).toContain('the server answered 404')
    expect(stderr).not.toMatch(raw)
  })

  it('break neither the pictures nor the report', async () => {
    const args = ['compare', join('runs', first), join('runs', second), '--out', 'comparison']
    expect((await eigenae(args, { cwd })).code).toBe(0)
    const files = readdirSync(join(cwd, 'comparison')).filter((name) => /\.(svg|html)$/.test(name))
    expect(files.length).toBeGreaterThan(5)
    for (const file of files)
      expect(readFileSync(join(cwd, 'comparison', file), 'utf8'), file).not.toMatch(raw)
    expect(readFileSync(join(cwd, 'comparison', 'report.html'), 'utf8')).toContain('\\x1b[2J')
  })
})
