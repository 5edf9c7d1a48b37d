import type { ModelFormat } from './format.js'
import { onnx } from './onnx.js'
import { safetensors } from './safetensors.js'
import { tfjs } from './tfjs.js'

/** All formats. A new format is a file beside onnx.ts and a row here. */
export const modelFormats: readonly ModelFormat[] = [safetensors, onnx, tfjs]
