import { Command, Option } from 'commander'
import { checkCompiler } from '../engines/cuda/kernel.js'
import { checkTrainingStep } from '../engines/self-check.js'
import { tensorflowEngine } from '../engines/tensorflow/engine.js'
import { EigenaeError, Interruption, usageError } from '../errors.js'
import { type InstallationKind, installationFolder } from '../setup/installation.js'
import { cudaNeeds, driverCudaVersion, requireDriver, requireFittingGpu } from '../setup/nvidia.js'
import { cudaFolder, setUpNvrtc } from '../setup/nvrtc.js'
import type { SetupResult } from '../setup/set-up.js'
import { diskBytes, pinnedVersions, setUpTensorflow } from '../setup/tensorflow.js'
import { gigabytes } from '../setup/tools.js'
import type { SetupObserver } from '../setup/wheels.js'
import { Bars } from '../text/bars.js'
import { eigenaeCommand } from '../text/command-line.js'
import { writeMessage, writeResult } from '../text/output.js'
import type { FlagsOf } from './shared/options.js'
import { abortOnSignals } from './shared/signals.js'

export function setupCommand() {
  return new Command('setup')
    .description('Install the additional software that some devices need')
    .addCommand(cudaCommand())
    .addCommand(tensorflowDeclaration().action(setupTensorflow))
    .addHelpText('after', '\nExample:\n  eigenae setup cuda')
}

const cudaNotes = `
The device cuda trains the default networks without any setup. The kernel of another network is compiled with NVRTC, NVIDIA's
compiler, when it is first used. This command downloads NVRTC's wheel (23 MB) into a folder under ~/.cache/eigenae/cuda
(or XDG_CACHE_HOME, or EIGENAE_CUDA_DIR itself), where compiled kernels are kept as well. Python is needed for the download
only, and a CUDA toolkit is not. The download must have its known checksum. A folder that other users can write to is refused.

Example:
  eigenae setup cuda`

function cudaCommand() {
  return new Command('cuda')
    .description('Install the compiler of kernels for the device cuda')
    .option('--python <program>', 'Python with pip, for the download (default: python3)')
    .addHelpText('after', cudaNotes)
    .action(setupCuda)
}

function setupCuda({ python }: { readonly python?: string | undefined }): Promise<void> {
  const install = (observer: SetupObserver, signal: AbortSignal) =>
    setUpNvrtc({
      python,
      check: async (nvrtc) => {
        observer.step('check: compile a kernel')
        await checkCompiler(nvrtc)
      },
      onTools: (summary) => writeMessage(`NVRTC, into ${cudaFolder()}\nhas ${summary}`),
      observer,
      signal,
    })
  return setup(install, `: ${eigenaeCommand('train --device cuda')}`)
}

const tensorflowNotes = `
Downloads TensorFlow's own wheel and builds the addon of @tensorflow/tfjs-node-gpu for its libraries, in a folder under
~/.cache/eigenae/tensorflow (or XDG_CACHE_HOME, or EIGENAE_TENSORFLOW_DIR itself). The folder takes 1.3 GB, with CUDA
6.4 GB. Python is needed for the download only. Each download must have its known checksum. Running the command again resumes an interrupted installation. A folder that other users can write to is refused.

Example:
  eigenae setup tensorflow --cuda`

type TensorflowFlags = FlagsOf<typeof tensorflowDeclaration>

function tensorflowDeclaration() {
  return new Command('tensorflow')
    .description('Install TensorFlow for the devices cuda and tensorflow-cpu')
    .addOption(new Option('--cpu', 'for the processor only').conflicts('cuda'))
    .option('--cuda', 'with CUDA, for NVIDIA cards (default if a driver and a card are found)')
    .option('--version <version>', "TensorFlow's version", '2.21.0')
    .option('--no-checksums', 'accept versions of TensorFlow whose wheels have no known checksums')
    .option('--python <program>', 'Python with pip, for the download (default: python3)')
    .addHelpText('after', tensorflowNotes)
}

async function setupTensorflow(flags: TensorflowFlags): Promise<void> {
  const { cpu, cuda, version, python } = flags
  requireKnownVersion(flags)
  const card = cpu ? null : await findCard()
  const kind = cuda || card?.usable ? 'cuda' : 'cpu'
  const device = kind === 'cuda' && card?.usable ? 'cuda' : 'tensorflow-cpu'
  const install = (observer: SetupObserver, signal: AbortSignal) =>
    setUpTensorflow(kind, version, {
      python,
      check: async (installation) => {
        observer.step(`check ${device}`)
        await checkTrainingStep(tensorflowEngine(device, { signal }, installation), signal)
        signal.throwIfAborted()
      },
      onTools: (summary) => writeMessage(announcement(kind, version, summary, card)),
      observer,
      signal,
    })
  const advice =
    kind === 'cuda' && device !== 'cuda'
      ? `; checked on the processor only: run "${eigenaeCommand('doctor')}" on the machine with the card`
      : `: ${eigenaeCommand(`train --device ${device}`)}`
  return setup(install, advice)
}

function requireKnownVersion({ version, checksums }: TensorflowFlags): void {
  if (!/^\d+\.\d+\.\d+$/.test(version))
    throw usageError({ problem: `must be a version like 2.21.0 (got "${version}")`, subject: '--version' })
  if (checksums && !pinnedVersions.includes(version))
    throw usageError({
      problem: `no checksums are known for the wheels of TensorFlow ${version}`,
      subject: '--version',
      hint: `Use ${pinnedVersions.join(' or ')}, or accept any file that the package index serves: --no-checksums`,
    })
}

interface Card {
  /** Whether TensorFlow's CUDA wheel supports the driver and a card of this machine. */
  readonly usable: boolean
  /** The card and driver found beside TensorFlow's needs, or why CUDA cannot be used. */
  readonly line: string
}

async function findCard(): Promise<Card> {
  try {
    const gpus = await requireDriver()
    const { ptx, native } = cudaNeeds
    const needs = `TensorFlow is built with CUDA ${ptx.cuda} and needs driver ${native.driver} or newer`
    if (gpus === null)
      return { usable: true, line: `NVIDIA driver of unknown version (no nvidia-smi); ${needs}` }
    const cuda = await driverCudaVersion()
    const [first] = requireFittingGpu(gpus, cuda)
    const driver = `NVIDIA driver ${first!.driver}${cuda === null ? '' : ` (CUDA ${cuda})`}`
    return { usable: true, line: `${first!.name}, ${driver}; ${needs}` }
  } catch (error) {
    if (!(error instanceof EigenaeError)) throw error
    return { usable: false, line: `CUDA cannot be used here: ${error.parts.problem}` }
  }
}

function announcement(kind: InstallationKind, version: string, tools: string, card: Card | null): string {
  const { peak, kept } = diskBytes[kind]
  const target =
    kind === 'cuda' ? `TensorFlow ${version} with CUDA` : `TensorFlow ${version} for the processor`
  return [
    ...(card === null ? [] : [card.line]),
    `${target}, into ${installationFolder(version, kind)}`,
    `needs Python 3 with pip, a C++ compiler, ${gigabytes(peak)} of disk (${gigabytes(kept)} remain)`,
    `has ${tools}`,
  ].join('\n')
}

/** Shows a setup until its end or Ctrl-C, and prints the folder of the installation. */
async function setup(
  install: (observer: SetupObserver, signal: AbortSignal) => Promise<SetupResult>,
  advice: string,
): Promise<void> {
  const { signal, release } = abortOnSignals(
    () =>
      new Interruption({
        problem: 'interrupted; finished steps are kept',
        hint: 'Run the same command again to resume.',
      }),
  )
  const display = setupDisplay()
  try {
    const { folder, already } = await install(display, signal)
    display.stop()
    writeMessage(`${already ? 'already set up; the check passed' : 'set up'}${advice}`)
    writeResult(folder)
  } finally {
    display.stop()
    release()
  }
}

/** Prints one line per step. A download has a bar below its step on a terminal, and its size elsewhere. */
function setupDisplay() {
  const bars = process.stderr.isTTY ? new Bars() : null
  let sizePrinted = false
  const stop = () => bars?.stop()
  return {
    step: (text: string) => {
      stop()
      sizePrinted = false
      writeMessage(`- ${text}`)
    },
    progress: (done: number, total: number) => {
      if (bars === null && !sizePrinted) writeMessage(`  ${megabytes(total)} MB`)
      sizePrinted = true
      const text = `${megabytes(done)} of ${megabytes(total)} MB`
      bars?.show([{ done, total, text, cells: 20, indent: 2 }])
    },
    stop,
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(bytes < 1e8 ? 1 : 0)
}
