import { type Device, devices, type RequestedDevice } from '../config/schema.js'
import { EigenaeError, exitCode, usageError } from '../errors.js'
import { findInstallation } from '../setup/installation.js'
import { cudaMayWork } from '../setup/nvidia.js'
import { openCudaDevice } from './cuda/engine.js'
import type { Engine, EngineNeeds } from './engine.js'
import { nativeEngine } from './native/engine.js'
import { checkTrainingStep } from './self-check.js'
import { tensorflowEngine } from './tensorflow/engine.js'
import { wasmEngine } from './wasm/engine.js'

/** An engine and why it was chosen, which is printed and kept in run.json. */
export interface Selection {
  readonly engine: Engine
  readonly reason: string
}

interface Candidate {
  /** @throws EigenaeError with a hint if this machine cannot run it. */
  readonly open: (needs: EngineNeeds) => Engine | Promise<Engine>
  /** A further test, which takes about a second, for an engine that is not tested when it is opened. */
  readonly check?: (engine: Engine) => Promise<void>
  /** A cheap check of whether "auto" should try this engine. */
  readonly autoEligible: () => boolean
  /** Whether a run occupies a GPU rather than a core. */
  readonly onGpu?: true
  /** Whether networks that differ in their seeds can train side by side: `createReplicas`. */
  readonly sideBySide?: true
  /** A cheap check before a sweep starts its runs. @throws EigenaeError if the device is not set up. */
  readonly precheck?: () => unknown
}

/** Every engine, in the order in which "auto" tries them. */
const candidates: Readonly<Record<Device, Candidate>> = {
  cuda: { open: openCudaDevice, autoEligible: cudaMayWork, onGpu: true, sideBySide: true },
  cpu: { open: nativeEngine, autoEligible: () => true },
  wasm: { open: wasmEngine, autoEligible: () => true },
  'tensorflow-cpu': {
    open: () => tensorflowEngine('tensorflow-cpu'),
    check: checkTrainingStep,
    autoEligible: () => false,
    sideBySide: true,
    precheck: () => findInstallation('cpu'),
  },
}

/** @throws EigenaeError if the requested device cannot be used: it is never replaced by another one. */
export async function selectEngine(requested: RequestedDevice, needs: EngineNeeds = {}): Promise<Selection> {
  if (requested !== 'auto') return openDevice(requested, needs, 'asked for')
  const device = autoDevice()
  if (device === undefined) return openFirstUsable(needs)
  return openDevice(device, needs, `auto: ${autoDeviceVariable}`)
}

/** Names the device that "auto" selects, to reproduce a run of "auto" on a machine where it would select another one. */
export const autoDeviceVariable = 'EIGENAE_AUTO_DEVICE'

function autoDevice(): Device | undefined {
  const named = process.env[autoDeviceVariable] || undefined
  if (named === undefined || Object.hasOwn(candidates, named)) return named as Device | undefined
  throw usageError({
    problem: `there is no device "${named}"`,
    subject: autoDeviceVariable,
    hint: `Use one of ${Object.keys(candidates).join(', ')}, or unset it.`,
  })
}

export function isOnGpu(device: RequestedDevice): boolean {
  return device !== 'auto' && candidates[device].onGpu === true
}

export function trainsSideBySide(device: RequestedDevice): boolean {
  return device !== 'auto' && candidates[device].sideBySide === true
}

/** @throws EigenaeError if the device is not set up, as far as that can be seen without opening it. */
export function requireSetUp(device: RequestedDevice): void {
  if (device !== 'auto') candidates[device].precheck?.()
}

/** A device with its engine, or with the error of opening it. */
export type Probe =
  | {
      readonly kind: 'usable'
      readonly device: Device
      readonly engine: Engine
      readonly reason: string | null
    }
  | { readonly kind: 'refused'; readonly device: Device; readonly refusal: EigenaeError }

/** Opens every device as `--device` would, and tests whether it trains. */
export async function probeDevices(): Promise<readonly Probe[]> {
  const probes: Probe[] = []
  for (const device of devices) if (device !== 'auto') probes.push(await probe(device))
  return probes
}

async function probe(device: Device): Promise<Probe> {
  try {
    const engine = await candidates[device].open({})
    await candidates[device].check?.(engine)
    return { kind: 'usable', device, engine, reason: engine.reason ?? null }
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error)
    const refusal = error instanceof EigenaeError ? error : new EigenaeError({ problem })
    return { kind: 'refused', device, refusal }
  }
}

async function openDevice(device: Device, needs: EngineNeeds, why: string): Promise<Selection> {
  const engine = await candidates[device].open(needs)
  return { engine, reason: engine.reason === undefined ? why : `${why}; ${engine.reason}` }
}

async function openFirstUsable(needs: EngineNeeds): Promise<Selection> {
  const refusals: string[] = []
  for (const device of Object.keys(candidates) as Device[]) {
    if (!candidates[device].autoEligible()) continue
    try {
      return await openDevice(device, needs, ['auto: the first usable device', ...refusals].join('; not '))
    } catch (error) {
      if (!(error instanceof EigenaeError) || error.exit === exitCode.usage) throw error
      refusals.push(`${device} (${error.message.split('\n')[0]})`)
    }
  }
  throw new EigenaeError({ problem: 'no device can train here', details: refusals })
}
