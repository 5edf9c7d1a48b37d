import { type EigenaeError, Interruption, usageError } from '../../errors.js'
import { type InstallationKind, installationFolder } from '../../setup/installation.js'
import { pinnedVersions } from '../../setup/pins.js'
import { diskBytes, gigabytes } from '../../setup/prerequisites.js'
import { setUpTensorflow } from '../../setup/tensorflow.js'
import { writeMessage, writeResult } from '../../text/output.js'
import { abortOnSignals } from '../shared/signals.js'
import { type Card, findCard } from './card.js'
import { setupDisplay } from './display.js'

export interface SetupFlags {
  readonly cpu?: boolean
  readonly cuda?: boolean
  readonly version: string
  readonly checksums: boolean
  readonly python?: string
}

/** Prints the folder of the installation. */
export async function setupTensorflow(flags: SetupFlags): Promise<void> {
  const { cpu, cuda, version, checksums, python } = flags
  if (!/^\d+\.\d+\.\d+$/.test(version))
    throw usageError({ problem: `must be a version like 2.21.0 (got "${version}")`, subject: '--version' })
  if (checksums && !pinnedVersions.includes(version))
    throw usageError({
      problem: `no checksums are known for the wheels of TensorFlow ${version}`,
      subject: '--version',
      hint: `Use ${pinnedVersions.join(' or ')}, or accept any file that the package index serves: --no-checksums`,
    })
  const card = cpu ? null : await findCard()
  const kind = cuda || card?.usable ? 'cuda' : 'cpu'
  const device = kind === 'cuda' && card?.usable ? 'cuda' : 'tensorflow-cpu'
  const { signal, release } = abortOnSignals(interruption)
  const display = setupDisplay()
  const onTools = (summary: string) => writeMessage(announcement(kind, version, summary, card))
  try {
    const job = { kind, version, device, python, onTools, observer: display, signal } as const
    const { folder, already } = await setUpTensorflow(job)
    display.stop()
    writeMessage(ending(kind, device, already))
    writeResult(folder)
  } finally {
    display.stop()
    release()
  }
}

function announcement(kind: InstallationKind, version: string, tools: string, card: Card | null): string {
  const { most, kept } = diskBytes[kind]
  const what = kind === 'cuda' ? `TensorFlow ${version} with CUDA` : `TensorFlow ${version} for the processor`
  return [
    ...(card === null ? [] : [card.line]),
    `${what}, into ${installationFolder(version, kind)}`,
    `needs Python 3 with pip, a C++ compiler, ${gigabytes(most)} of disk (${gigabytes(kept)} stay)`,
    `has ${tools}`,
  ].join('\n')
}

function ending(kind: InstallationKind, device: string, already: boolean): string {
  const state = already ? 'already set up, and it computes' : 'set up'
  if (kind === 'cuda' && device !== 'cuda')
    return `${state}; checked on the processor alone: run "eigenae doctor" where the card is`
  return `${state}: eigenae train --device ${device}`
}

function interruption(): EigenaeError {
  return new Interruption({
    problem: 'interrupted; what was finished is kept',
    hint: 'Go on with the same command.',
  })
}
