import { type Device, devices, type RequestedDevice } from '../config/schema.js'
import { EigenaeError, exitCode } from '../errors.js'
import { checkedCudaEngine, cudaMayWork } from '../setup/cuda.js'
import { findInstallation } from '../setup/installation.js'
import type { Engine } from './engine.js'
import { nativeEngine } from './native/engine.js'
import { tensorflowEngine } from './tensorflow/engine.js'
import { checkTrainingStep } from './tensorflow/self-check.js'
import { wasmEngine } from './wasm/engine.js'

/** An engine and why it was taken: printed, and kept in run.json. */
export interface Selection {
  readonly engine: Engine
  readonly reason: string
}

interface Candidate {
  /** @throws EigenaeError where this machine cannot run it, with what to do about it. */
  readonly open: () => Engine | Promise<Engine>
  /** What else shows that it can train, where opening it does not: it takes a second. */
  readonly check?: (engine: Engine) => Promise<void>
  /** Whether "auto" tries it, found out in no time. */
  readonly byAuto: () => boolean
  /** A run takes a GPU, not a core. */
  readonly onGpu?: true
  /** Networks that differ in their seeds train side by side: `createReplicas`. */
  readonly sideBySide?: true
  /** Looks without opening it, before many runs are begun. @throws EigenaeError where it is not set up. */
  readonly look?: () => unknown
}

/** Every engine, the one that "auto" prefers first. Another engine is a folder beside native/ and a row here. */
const candidates: Readonly<Record<Device, Candidate>> = {
  cuda: { open: checkedCudaEngine, byAuto: cudaMayWork, onGpu: true, sideBySide: true },
  cpu: { open: nativeEngine, byAuto: () => true },
  wasm: { open: wasmEngine, byAuto: () => true },
  'tensorflow-cpu': {
    open: () => tensorflowEngine('tensorflow-cpu'),
    check: checkTrainingStep,
    byAuto: () => false,
    sideBySide: true,
    look: () => findInstallation('cpu'),
  },
}

/** @throws EigenaeError where the device that was asked for cannot be used: never another one in silence. */
export async function selectEngine(requested: RequestedDevice): Promise<Selection> {
  return requested === 'auto' ? firstUsable() : asked(requested)
}

export function isOnGpu(device: RequestedDevice): boolean {
  return device !== 'auto' && candidates[device].onGpu === true
}

export function trainsSideBySide(device: RequestedDevice): boolean {
  return device !== 'auto' && candidates[device].sideBySide === true
}

/** @throws EigenaeError where the device is not set up, as far as shows without opening it. */
export function requireSetUp(device: RequestedDevice): void {
  if (device !== 'auto') candidates[device].look?.()
}

/** A device of the table, with its engine or what stands against it. */
export type Probe =
  | { readonly kind: 'usable'; readonly device: Device; readonly engine: Engine }
  | { readonly kind: 'refused'; readonly device: Device; readonly refusal: EigenaeError }

/** Opens every device, as `--device` would, and sees whether it trains. */
export async function probeDevices(): Promise<readonly Probe[]> {
  const probes: Probe[] = []
  for (const device of devices) if (device !== 'auto') probes.push(await probe(device))
  return probes
}

async function probe(device: Device): Promise<Probe> {
  try {
    const { engine } = await asked(device)
    await candidates[device].check?.(engine)
    return { kind: 'usable', device, engine }
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error)
    const refusal = error instanceof EigenaeError ? error : new EigenaeError({ problem: what })
    return { kind: 'refused', device, refusal }
  }
}

async function asked(device: Device): Promise<Selection> {
  return { engine: await candidates[device].open(), reason: 'asked for' }
}

async function firstUsable(): Promise<Selection> {
  const refusals: string[] = []
  for (const [device, { open, byAuto }] of Object.entries(candidates)) {
    if (!byAuto()) continue
    try {
      const engine = await open()
      return { engine, reason: ['auto: the first usable device', ...refusals].join('; not ') }
    } catch (error) {
      if (!(error instanceof EigenaeError) || error.exit === exitCode.usage) throw error
      refusals.push(`${device} (${error.message.split('\n')[0]})`)
    }
  }
  throw new EigenaeError({ problem: 'no device can train here', details: refusals })
}
