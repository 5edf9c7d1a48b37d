import { existsSync } from 'node:fs'
import type { Engine } from '../engines/engine.js'
import { tensorflowEngine } from '../engines/tensorflow/engine.js'
import { checkTrainingStep } from '../engines/tensorflow/self-check.js'
import { findInstallation } from './installation.js'
import { requireCard } from './requirements.js'

/** Where NVIDIA's driver shows itself: on Linux, and on Linux within Windows. */
const driverFiles = ['/dev/nvidiactl', '/dev/dxg']

/** Whether it is worth while to start TensorFlow and see: it was set up for cards, and a driver is there. */
export function cudaMayWork(): boolean {
  if (!driverFiles.some((file) => existsSync(file))) return false
  try {
    return findInstallation('cuda').kind === 'cuda'
  } catch {
    return false
  }
}

/** The engine on a card. @throws EigenaeError where it lacks something, or a few steps of training give wrong numbers. */
export async function checkedCudaEngine(): Promise<Engine> {
  const card = await requireCard()
  const engine = tensorflowEngine('cuda', { card: card?.uuid ?? null })
  await checkTrainingStep(engine)
  return engine
}
