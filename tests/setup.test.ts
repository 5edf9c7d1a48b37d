import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { eigenae, scratchFolder, start } from './support/cli.js'
import { bareProject } from './support/project.js'
import { buildLibrary, fakeInstallation, writeProgram } from './support/tensorflow.js'

const scratch = scratchFolder()
const library = scratch('libstub.so')
buildLibrary(library, 'extern "C" int stub() { return 0; }')

/** A machine whose Python is a script; `pip` is what its pip does. */
function machine(pip: string, path = '/usr/bin:/bin') {
  const folder = mkdtempSync(scratch('machine-'))
  const version = 'case "$*" in *--version*) echo "pip 24.0 from /x (python 3.12)"; exit 0;; esac'
  writeProgram(join(folder, 'python3'), `${version}\n${pip}`)
  const root = join(folder, 'tensorflow')
  return { root, env: { PATH: `${folder}:${path}`, EIGENAE_TENSORFLOW_DIR: root } }
}

const setup = ['setup', 'tensorflow', '--cpu']
const slowDownload = 'echo "  Downloading tensorflow_cpu.whl (273.8 MB)"; exec sleep 60'

describe('setup tensorflow', () => {
  it('says in one message all that is missing, and the command that brings it', async () => {
    const env = { PATH: '/nowhere', EIGENAE_TENSORFLOW_DIR: scratch('bare') }
    const { code, stderr } = await eigenae(setup, { env })
    expect(stderr).toBe(
      [
        'eigenae: TensorFlow cannot be set up yet',
        '  python3 was not found (--python names another)',
        '  the C++ compiler g++ was not found',
        'Debian, Ubuntu: sudo apt-get install python3 python3-pip g++',
        'Fedora: sudo dnf install python3 python3-pip gcc-c++',
        '',
      ].join('\n'),
    )
    expect(code).toBe(1)
    expect(existsSync(scratch('bare'))).toBe(false)
  })

  it('knows a Python without pip, and one whose pip is too old', async () => {
    const python = scratch('python')
    writeProgram(python, 'echo "No module named pip" >&2; exit 1')
    const { env } = machine('')
    const without = await eigenae([...setup, '--python', python], { env })
    expect(without.stderr).toMatch(/has no pip.*\n.*apt-get install python3-pip/)
    writeProgram(python, 'echo "pip 20.0.2 from /usr/lib/python3/dist-packages/pip (python 3.8)"')
    const old = await eigenae([...setup, '--python', python], { env })
    expect(old.stderr).toMatch(/pip 20\.0\.2 is too old: run .* -m pip install --upgrade "pip>=20\.3"/)
  })

  it('knows a disk without room', async () => {
    const { env } = machine('')
    const { code, stderr } = await eigenae(setup, {
      env: { ...env, EIGENAE_TENSORFLOW_DIR: '/proc/eigenae' },
    })
    expect(stderr).toMatch(/\/proc\/eigenae has 0\.0 GB free, and 1\.7 GB are needed/)
    expect(code).toBe(1)
  })

  it('needs npm where this project was installed without the package of the addon', () => {
    const tools = scratch('tools')
    mkdirSync(tools)
    symlinkSync('/usr/bin/g++', join(tools, 'g++'))
    const command = [bareProject(scratch('project')), ...setup]
    const env = { ...process.env, ...machine('', tools).env }
    const { status, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8', env })
    expect(stderr).toMatch(/npm was not found, which brings .*tfjs-node-gpu\n.*apt-get install npm\n/)
    expect(status).toBe(1)
  })

  it.each([
    ['--cpu', '--cuda'],
    ['--version', 'latest'],
  ])('refuses %s %s with exit code 2', async (...flags) => {
    const { code } = await eigenae(['setup', 'tensorflow', ...flags])
    expect(code).toBe(2)
  })

  it.each([
    [
      'a full disk',
      'ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device',
      /no space left on the disk\nFree some/,
    ],
    [
      'a network that is down',
      "WARNING: Retrying after connection broken by 'NewConnectionError(...)'\nERROR: No matching distribution found for tensorflow-cpu==2.21.0",
      /the package index cannot be reached\n.*\nCheck the network/,
    ],
    [
      'a version that there is not',
      'ERROR: Could not find a version that satisfies the requirement tensorflow-cpu==2.21.0 (from versions: 2.15.1, 2.20.0)',
      /no wheel of tensorflow-cpu==2\.21\.0 .*\nThere are: 2\.15\.1, 2\.20\.0/,
    ],
    ['any other failure of pip', 'ERROR: something else', /pip failed\n {2}ERROR: something else/],
  ])('says what to do about %s, and leaves nothing that counts as set up', async (_, words, message) => {
    const { env, root } = machine(`printf '%s\\n' "${words}" >&2; exit 1`)
    const { code, stderr } = await eigenae(setup, { env })
    expect(stderr).toMatch(message)
    expect(code).toBe(1)
    expect(readdirSync(root)).toEqual([])
  })

  it('stops at Ctrl-C with exit code 130, and keeps what was downloaded', async () => {
    const { env, root } = machine(slowDownload)
    const whole = join(root, '2.21.0-cpu/downloads/other.whl')
    mkdirSync(dirname(whole), { recursive: true })
    writeFileSync(whole, '')
    const running = start(setup, { env })
    await running.says('274 MB')
    running.process.kill('SIGINT')
    const { code, stderr } = await running.finished
    expect(stderr).toMatch(/interrupted; what was finished is kept\nGo on with the same command\.\n$/)
    expect(code).toBe(130)
    expect(readdirSync(root, { recursive: true }).sort()).toEqual([
      '2.21.0-cpu',
      '2.21.0-cpu/downloads',
      '2.21.0-cpu/downloads/other.whl',
    ])
  })

  it('stops at Ctrl-C while it checks, which takes minutes where a card compiles first', async () => {
    const { env, root } = machine('')
    const slow = scratch('libslow.so')
    buildLibrary(slow, '#include <unistd.h>\n__attribute__((constructor)) static void wait() { sleep(30); }')
    fakeInstallation(root, slow, 'cpu')
    const running = start(setup, { env })
    await running.says('- check tensorflow-cpu')
    await setTimeout(300)
    running.process.kill('SIGINT')
    const { code, stderr } = await running.finished
    expect(stderr).toMatch(/interrupted; what was finished is kept\nGo on with the same command\.\n$/)
    expect(code).toBe(130)
  })

  it('makes an installation again that does not compute, and says why where it cannot', async () => {
    const { env, root } = machine('echo "ERROR: something else" >&2; exit 1')
    fakeInstallation(root, library, 'cpu')
    const without = await eigenae(setup, { env: { ...env, PATH: '/nowhere' } })
    expect(without.stderr).toMatch(/TensorFlow failed: /)
    const again = await eigenae(setup, { env })
    expect(again.stderr).toMatch(/- check tensorflow-cpu\n.*- download tensorflow-cpu\n.*pip failed/s)
    expect(again.code).toBe(1)
  })

  it('is made by one process at a time, and tidies up after one that was killed', async () => {
    const { env, root } = machine(slowDownload)
    const first = start(setup, { env })
    await first.says('274 MB')
    const second = await eigenae(setup, { env })
    expect(second.stderr).toContain(`process ${first.process.pid} is writing into this folder`)
    expect(second.code).toBe(1)
    first.process.kill('SIGKILL')
    await first.finished.catch(() => {})
    await setTimeout(50)
    const third = start(setup, { env })
    await third.says('274 MB')
    const left = readdirSync(join(root, '2.21.0-cpu')).filter((name) => name.startsWith('work-'))
    expect(left).toHaveLength(1)
    third.process.kill('SIGTERM')
    expect((await third.finished).code).toBe(130)
  })
})
