import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { findInstallation, type TensorflowInstallation } from '../../src/setup/installation.js'
import { eigenae, start } from '../support/cli.js'
import { skipsWithout } from '../support/requirements.js'

const installed = findOrNull()
const missing = installed === null ? 'run "eigenae setup tensorflow --cpu" first' : null

function findOrNull(): TensorflowInstallation | null {
  try {
    const found = findInstallation('cpu')
    return found.kind === 'cpu' ? found : null
  } catch {
    return null
  }
}

// The order matters: each test uses the folder that the one before left.
describe.skipIf(skipsWithout(missing))('setup tensorflow with the real wheel', { timeout: 240_000 }, () => {
  const { version, kind, tensorflow } = installed ?? { version: '', kind: 'cpu', tensorflow: '' }
  // Hard links need the same file system.
  const root = `${join(tensorflow, '../../..')}-test-${process.pid}`
  const folder = join(root, `${version}-${kind}`)
  const addon = join(folder, 'tfjs_binding.node')
  const setup = ['setup', 'tensorflow', `--${kind}`, '--version', version]
  // Without a network, so that every download fails.
  const env = {
    EIGENAE_TENSORFLOW_DIR: root,
    PIP_INDEX_URL: 'http://127.0.0.1:9/simple',
    PIP_FIND_LINKS: '',
  }
  afterAll(() => rmSync(root, { recursive: true, force: true }))

  it('reuses an unpacked wheel after kill -9 while the addon is built', async () => {
    mkdirSync(folder, { recursive: true })
    spawnSync('cp', ['-al', join(tensorflow, '..'), folder])
    const killed = start(setup, { env })
    await killed.untilPrinted('- build the addon')
    killed.process.kill('SIGKILL')
    await killed.finished
    expect(() => find(root)).toThrow('TensorFlow is not set up')
    const { code, stdout, stderr } = await eigenae(setup, { env })
    expect(stderr).not.toContain('- download')
    expect(stderr).toMatch(/- check tensorflow-cpu\nset up: eigenae train --device tensorflow-cpu\n$/)
    expect(stdout).toBe(`${folder}\n`)
    expect(code).toBe(0)
    expect(readdirSync(folder).sort()).toEqual([
      ...['installation.json', 'package', 'site-packages', 'tfjs_binding.node'],
    ])
    expect(readdirSync(root)).toEqual([`${version}-${kind}`])
    expect(find(root)).toMatchObject({ version, kind, addon })
  })

  it('only checks an existing installation', async () => {
    const { code, stderr } = await eigenae(setup, { env: { ...env, PATH: '/nowhere' } })
    expect(stderr).toMatch(/^- check tensorflow-cpu\nalready set up; the check passed/)
    expect(code).toBe(0)
  })

  it('rebuilds a truncated addon, for which it downloads its package, or reports why it cannot', async () => {
    truncateSync(addon, 1000)
    expect(() => find(root)).toThrow('its addon is damaged')
    rmSync(join(folder, 'package'), { recursive: true })
    const noRegistry = { npm_config_registry: 'http://127.0.0.1:9', npm_config_fetch_retries: '0' }
    const offline = await eigenae(setup, { env: { ...env, ...noRegistry } })
    expect(offline.stderr).toMatch(/npm's registry cannot be reached\n(.*\n)*Check the network/)
    expect(offline.code).toBe(1)
    expect(readdirSync(folder)).toEqual(['site-packages'])
    const online = await eigenae(setup, { env })
    expect(online.stderr).toMatch(/- download @tensorflow\/tfjs-node-gpu\n- build/)
    expect(online.code).toBe(0)
    expect(find(root).addon).toBe(addon)
  })

  it('downloads an incomplete wheel again, and reports that there is no network', async () => {
    rmSync(join(folder, 'site-packages/tensorflow/libtensorflow_framework.so.2'))
    const { code, stderr } = await eigenae(setup, { env })
    expect(stderr).toMatch(/the package index cannot be reached\n.*\nCheck the network/)
    expect(code).toBe(1)
    expect(existsSync(join(folder, 'site-packages'))).toBe(false)
    expect(() => find(root)).toThrow('TensorFlow is not set up')
  })
})

function find(root: string): TensorflowInstallation {
  const before = process.env.EIGENAE_TENSORFLOW_DIR
  process.env.EIGENAE_TENSORFLOW_DIR = root
  try {
    return findInstallation('cpu')
  } finally {
    if (before === undefined) delete process.env.EIGENAE_TENSORFLOW_DIR
    else process.env.EIGENAE_TENSORFLOW_DIR = before
  }
}
