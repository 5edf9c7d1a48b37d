// One contender of bench/tensorflow.mjs: the loop that the manual of TensorFlow.js teaches, on the addon that
// `eigenae setup tensorflow` built. It trains without the eigen loss, because TensorFlow.js has no eigenvectors, so it has less
// to do.
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import util from 'node:util'
import { findInstallation } from '../../dist/setup/installation.js'
import { digits, spec } from './job.mjs'

// Removed from Node 23, but used by the package.
util.isNullOrUndefined ??= (value) => value === null || value === undefined
util.isArray ??= Array.isArray

const require = createRequire(import.meta.url)
const { addon } = findInstallation('cpu')
// The setup's copy of @tensorflow/tfjs-node-gpu resolves @tensorflow/tfjs by NODE_PATH, so that both use the same one.
const dist = join(dirname(addon), 'package/node_modules/@tensorflow/tfjs-node-gpu/dist')
const tf = require('@tensorflow/tfjs')
const { NodeJSKernelBackend } = require(join(dist, 'nodejs_kernel_backend.js'))
tf.registerBackend(
  'tensorflow',
  () => new NodeJSKernelBackend(require(addon), '@tensorflow/tfjs-node-gpu'),
  3,
)
require(join(dist, 'register_all_kernels.js'))
await tf.setBackend('tensorflow')

const steps = Number(process.argv[2])
const { widths } = spec
const sizes = [...widths, ...widths.slice(0, -1).reverse()]
const layers = sizes.slice(1).map((outputs, i) => ({
  weight: tf.variable(
    tf.randomUniform([sizes[i], outputs], -Math.sqrt(6 / sizes[i]), Math.sqrt(6 / sizes[i])),
  ),
  bias: tf.variable(tf.zeros([outputs])),
}))
const { learningRate, beta1, beta2, epsilon } = spec.optimizer
const optimizer = tf.train.adam(learningRate, beta1, beta2, epsilon)
const images = tf.tensor2d(digits(steps * spec.batchSize), [steps * spec.batchSize, 784], 'int32')

function reconstruct(input) {
  return layers.reduce((x, { weight, bias }, i) => {
    const linear = x.matMul(weight).add(bias)
    if (i === layers.length - 1) return linear.sigmoid()
    return i === widths.length - 2 ? linear : linear.relu()
  }, input)
}

function trainStep(step) {
  tf.tidy(() => {
    const clean = images
      .slice([step * spec.batchSize, 0], [spec.batchSize, 784])
      .toFloat()
      .div(255)
    const noisy = clean.add(tf.randomNormal(clean.shape, 0, spec.noise))
    optimizer.minimize(() => tf.losses.meanSquaredError(clean, reconstruct(noisy)))
  })
}

process.on('message', async () => {
  const started = performance.now()
  for (let step = 0; step < steps; step++) trainStep(step)
  await layers[0].weight.data()
  process.send({ milliseconds: (performance.now() - started) / steps })
})
process.on('disconnect', () => process.exit())
