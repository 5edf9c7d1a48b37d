import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { call, eigenae, scratchFolder, start, trainArgs } from './support/cli.js'
import { until } from './support/sweeps.js'
import { buildLibrary, fakeInstallation, writeProgram } from './support/tensorflow.js'

const scratch = scratchFolder()
const library = scratch('libstub.so')
buildLibrary(library, 'extern "C" int stub() { return 0; }')

/** Builds a machine whose Python is a script; `pip` is the script of its pip. */
function machine(pip: string, path = '/usr/bin:/bin') {
  const folder = mkdtempSync(scratch('machine-'))
  const version = 'case "$*" in *--version*) echo "pip 24.0 from /x (python 3.12)"; exit 0;; esac'
  writeProgram(join(folder, 'python3'), `${version}\n${pip}`)
  writeProgram(
    join(folder, 'npm'),
    'case "$1" in --version) echo 10.8.2; exit 0;; esac; echo "npm is not to run" >&2; exit 1',
  )
  const root = join(folder, 'tensorflow')
  return { folder, root, env: { PATH: `${folder}:${path}`, EIGENAE_TENSORFLOW_DIR: root } }
}

const setup = ['setup', 'tensorflow', '--cpu']
/** Ends only with the command line that started it. */
const slowDownload = 'echo "  Downloading tensorflow_cpu.whl (273.8 MB)"; exec tail --pid=$PPID -f /dev/null'

/** Creates the file $LOADED when it is loaded, and never returns. */
const endlessLibrary = `
#include <cstdio>
#include <cstdlib>
#include <unistd.h>
__attribute__((constructor)) static void wait() {
  fclose(fopen(getenv("LOADED"), "w"));
  for (;;) pause();
}`

describe('setup tensorflow', () => {
  it('prints everything that is missing in one message, and the command that installs it', async () => {
    const env = { PATH: '/nowhere', EIGENAE_TENSORFLOW_DIR: scratch('bare') }
    const { code, stderr } = await eigenae(setup, { env })
    expect(stderr).toBe(
      [
        'eigenae: TensorFlow cannot be set up yet',
        '  python3 was not found (--python names another)',
        '  the C++ compiler g++ was not found',
        '  npm was not found, which downloads @tensorflow/tfjs-node-gpu',
        'Debian, Ubuntu: sudo apt-get install python3 python3-pip g++ npm',
        'Fedora: sudo dnf install python3 python3-pip gcc-c++ npm',
        '',
      ].join('\n'),
    )
    expect(code).toBe(1)
    expect(existsSync(scratch('bare'))).toBe(false)
  })

  it('refuses a Python without pip, or with a pip that is too old', async () => {
    const python = scratch('python')
    writeProgram(python, 'echo "No module named pip" >&2; exit 1')
    const { env } = machine('')
    const without = await eigenae([...setup, '--python', python], { env })
    expect(without.stderr).toMatch(/has no pip.*\n.*apt-get install python3-pip/)
    writeProgram(python, 'echo "pip 20.0.2 from /usr/lib/python3/dist-packages/pip (python 3.8)"')
    const old = await eigenae([...setup, '--python', python], { env })
    expect(old.stderr).toMatch(/pip 20\.0\.2 is too old: run .* -m pip install --upgrade "pip>=20\.3"/)
  })

  it('refuses a disk without space', async () => {
    const { env } = machine('')
    const { code, stderr } = await eigenae(setup, {
      env: { ...env, EIGENAE_TENSORFLOW_DIR: '/proc/eigenae' },
    })
    expect(stderr).toMatch(/\/proc\/eigenae has 0\.0 GB free, and 1\.7 GB are needed/)
    expect(code).toBe(1)
  })

  it.each([
    ['--cpu', '--cuda'],
    ['--version', 'latest'],
    ['--version', '2.20.0'],
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
      'a version that does not exist',
      'ERROR: Could not find a version that satisfies the requirement tensorflow-cpu==2.21.0 (from versions: 2.15.1, 2.20.0)',
      /no wheel of tensorflow-cpu==2\.21\.0 .*\nUse one of 2\.15\.1, 2\.20\.0\./,
    ],
    [
      'a wheel with another checksum',
      'ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n        Expected sha256 aaaa\n             Got        bbbb',
      /tensorflow-cpu==2\.21\.0: the downloaded wheel does not have its known checksum\n {2}Expected sha256 aaaa\n {2}Got +bbbb\n.*PIP_INDEX_URL/,
    ],
    ['any other failure of pip', 'ERROR: something else', /pip failed\n {2}ERROR: something else/],
  ])('prints what to do about %s, and leaves no installation', async (_, words, message) => {
    const { env, root } = machine(`printf '%s\\n' "${words}" >&2; exit 1`)
    const { code, stderr } = await eigenae(setup, { env })
    expect(stderr).toMatch(message)
    expect(code).toBe(1)
    expect(readdirSync(root)).toEqual([])
  })

  it('has pip check the checksums of the wheels, unless --no-checksums accepts unknown ones', async () => {
    const seen = scratch('seen')
    const { env } =
      machine(`echo "$*" > ${seen}; while [ "$1" != --requirement ] && [ $# -gt 0 ]; do shift; done
[ $# -gt 0 ] && cat "$2" >> ${seen}; exit 1`)
    await eigenae(setup, { env })
    expect(readFileSync(seen, 'utf8')).toMatch(
      /^-m pip download .*--require-hashes .*\n(tensorflow(-cpu)?==2\.21\.0 --hash=sha256:[\da-f]{64}\n)$/,
    )
    const refused = await eigenae([...setup, '--version', '2.20.0'], { env })
    expect(refused.stderr).toMatch(
      /--version: no checksums are known .* TensorFlow 2\.20\.0\nUse 2\.21\.0, or .*--no-checksums/,
    )
    await eigenae([...setup, '--version', '2.20.0', '--no-checksums'], { env })
    expect(readFileSync(seen, 'utf8')).toMatch(/^-m pip download .* tensorflow(-cpu)?==2\.20\.0\n$/)
  })

  it('refuses a package from npm that has another checksum', async () => {
    // This pip unpacks a TensorFlow of two empty files; this npm's registry serves another package.
    const { env, folder } = machine(`while [ "$1" != --target ] && [ $# -gt 0 ]; do shift; done
[ $# -eq 0 ] || { mkdir -p "$2/tensorflow" && cd "$2/tensorflow" && touch libtensorflow_cc.so.2 libtensorflow_framework.so.2; }`)
    writeProgram(
      join(folder, 'npm'),
      'case "$1" in --version) echo 10.8.2;; *) while [ "$1" != --pack-destination ]; do shift; done; echo other > "$2/x.tgz";; esac',
    )
    const { code, stderr } = await eigenae(setup, { env })
    expect(stderr).toMatch(
      /tfjs-node-gpu@4\.22\.0: the downloaded package does not have its known checksum\n {2}Expected sha512-p\/\/NN/,
    )
    expect(code).toBe(1)
  })

  const writable = 'other users can write to it\nRun: chmod '
  const openings: Readonly<Record<string, readonly [open: (path: string) => void, message: string]>> = {
    'writable by its group': [(path) => chmodSync(path, 0o775), writable],
    'writable by all': [(path) => chmodSync(path, 0o757), writable],
    'of another user': [(path) => chownSync(path, 4242, 4242), 'it belongs to another user\n'],
  }
  const mayChown = process.getuid?.() === 0
  it.each(Object.keys(openings).filter((each) => mayChown || each !== 'of another user'))(
    'loads nothing from an installation %s',
    async (name) => {
      const [open, message] = openings[name]!
      const { env, folder, root } = machine('exit 1')
      const { tensorflow, addon } = fakeInstallation(root, library, 'cpu')
      const links = scratch(`links-${name}`)
      mkdirSync(links)
      symlinkSync(folder, join(links, 'linked'))
      const linked = { ...env, EIGENAE_TENSORFLOW_DIR: join(links, 'linked', 'tensorflow') }
      const train = [...trainArgs('eigen.json', scratch('untrusted')), '--device', 'tensorflow-cpu']
      const expectRefused = async (path: string, args: readonly string[]) => {
        const { code, stderr } = await call(args, { env: path === links ? linked : env })
        expect(stderr).toContain(`${path}: TensorFlow is not loaded from here: ${message}`)
        expect(code).toBe(1)
      }
      for (const path of [links, folder, root, join(root, '2.21.0-cpu'), tensorflow, addon]) {
        const { mode, uid, gid } = statSync(path)
        open(path)
        await expectRefused(path, train)
        if (path === root) await expectRefused(path, setup)
        chownSync(path, uid, gid)
        chmodSync(path, mode)
      }
      expect(existsSync(scratch('untrusted'))).toBe(false)
    },
  )

  it('creates folders that others cannot write to, whatever the umask', async () => {
    const { env, root } = machine('mkdir "$TMPDIR/made"; exit 1')
    mkdirSync(dirname(root), { recursive: true })
    const before = process.umask(0o002)
    const running = start(setup, { env: { ...env, EIGENAE_TENSORFLOW_DIR: join(root, 'new') } })
    process.umask(before)
    await running.finished
    expect(statSync(join(root, 'new')).mode & 0o777).toBe(0o755)
  })

  it('stops at Ctrl-C with exit code 130, and keeps what was downloaded', async () => {
    const { env, root } = machine(slowDownload)
    const whole = join(root, '2.21.0-cpu/downloads/other.whl')
    mkdirSync(dirname(whole), { recursive: true })
    writeFileSync(whole, '')
    const running = start(setup, { env })
    await running.untilPrinted('274 MB')
    running.process.kill('SIGINT')
    const { code, stderr } = await running.finished
    expect(stderr).toMatch(/interrupted; finished steps are kept\nRun the same command again to resume\.\n$/)
    expect(code).toBe(130)
    expect(readdirSync(root, { recursive: true }).sort()).toEqual([
      '2.21.0-cpu',
      '2.21.0-cpu/downloads',
      '2.21.0-cpu/downloads/other.whl',
    ])
  })

  it('stops at Ctrl-C during the check, which takes minutes if a card compiles first', async () => {
    const { env, root } = machine('')
    const slow = scratch('libslow.so')
    buildLibrary(slow, endlessLibrary)
    fakeInstallation(root, slow, 'cpu')
    const loaded = scratch('loaded')
    const running = start(setup, { env: { ...env, LOADED: loaded } })
    await until(() => existsSync(loaded) || null, 'the check')
    running.process.kill('SIGINT')
    const { code, stderr } = await running.finished
    expect(stderr).toMatch(/interrupted; finished steps are kept\nRun the same command again to resume\.\n$/)
    expect(code).toBe(130)
  })

  it('rebuilds an installation that does not compute, and prints why if it cannot', async () => {
    const { env, root } = machine('echo "ERROR: something else" >&2; exit 1')
    fakeInstallation(root, library, 'cpu')
    const without = await eigenae(setup, { env: { ...env, PATH: '/nowhere' } })
    expect(without.stderr).toMatch(/TensorFlow failed: /)
    const again = await eigenae(setup, { env })
    expect(again.stderr).toMatch(/- check tensorflow-cpu\n.*- download tensorflow-cpu\n.*pip failed/s)
    expect(again.code).toBe(1)
  })

  it('runs in one process at a time, and cleans up after one that was killed', async () => {
    const { env, root } = machine(slowDownload)
    const first = start(setup, { env })
    await first.untilPrinted('274 MB')
    const second = await eigenae(setup, { env })
    expect(second.stderr).toContain(`process ${first.process.pid} is writing into this folder`)
    expect(second.code).toBe(1)
    first.process.kill('SIGKILL')
    await first.finished
    const third = start(setup, { env })
    await third.untilPrinted('274 MB')
    const left = readdirSync(join(root, '2.21.0-cpu')).filter((name) => name.startsWith('work-'))
    expect(left).toHaveLength(1)
    third.process.kill('SIGTERM')
    expect((await third.finished).code).toBe(130)
  })
})

describe('setup cuda', () => {
  const setupCuda = ['setup', 'cuda']
  const cudaMachine = (pip: string) => {
    const { folder, env } = machine(pip)
    const root = join(folder, 'cuda')
    return { folder, root, env: { ...env, EIGENAE_CUDA_DIR: root, EIGENAE_NVRTC: '' } }
  }

  it('prints everything that is missing, and creates nothing', async () => {
    const bare = scratch('bare-cuda')
    const env = { PATH: '/nowhere', EIGENAE_CUDA_DIR: bare, EIGENAE_NVRTC: '' }
    const { code, stderr } = await eigenae(setupCuda, { env })
    expect(stderr).toMatch(
      /NVRTC cannot be set up yet\n {2}python3 was not found .*\n.*apt-get install python3 python3-pip\n/,
    )
    expect(code).toBe(1)
    expect(existsSync(bare)).toBe(false)
    const full = await eigenae(setupCuda, { env: { ...env, EIGENAE_CUDA_DIR: '/proc/eigenae' } })
    expect(full.stderr).toMatch(/\/proc\/eigenae has 0\.0 GB free, and 0\.2 GB are needed/)
  })

  it("has pip check the wheel's checksum, and leaves nothing if it fails", async () => {
    const seen = scratch('seen-cuda')
    const { env, root } =
      cudaMachine(`echo "$*" > ${seen}; while [ "$1" != --requirement ] && [ $# -gt 0 ]; do shift; done
[ $# -gt 0 ] && cat "$2" >> ${seen}; echo 'DO NOT MATCH THE HASHES' >&2; exit 1`)
    const { code, stderr } = await eigenae(setupCuda, { env })
    expect(stderr).toMatch(
      /nvidia-cuda-nvrtc-cu12==\S+: the downloaded wheel does not have its known checksum/,
    )
    expect(readFileSync(seen, 'utf8')).toMatch(
      /^-m pip download .*--require-hashes .*\nnvidia-cuda-nvrtc-cu12==\S+ --hash=sha256:[\da-f]{64}\n$/,
    )
    expect(code).toBe(1)
    expect(readdirSync(root)).toEqual([])
  })

  it('refuses a library that does not compile, and a folder that others can write to', async () => {
    // This pip unpacks libraries that are no NVRTC.
    const { env, root } = cudaMachine(`while [ "$1" != --target ] && [ $# -gt 0 ]; do shift; done
[ $# -eq 0 ] || { mkdir -p "$2/nvidia/cuda_nvrtc/lib" && echo none > "$2/nvidia/cuda_nvrtc/lib/libnvrtc.so.12"; }`)
    const { code, stderr } = await eigenae(setupCuda, { env })
    expect(stderr).toMatch(
      /- check: compile a kernel\neigenae: device cuda: an NVIDIA library cannot be loaded\n/,
    )
    expect(code).toBe(1)
    chmodSync(root, 0o777)
    const refused = await eigenae(setupCuda, { env })
    expect(refused.stderr).toContain(`${root}: NVRTC is not loaded from here: other users can write to it\n`)
  })
})
