import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const libraries = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2']

/** Compiles a shared library, so that its symbols are in no library of the machine. */
export function buildLibrary(file: string, source: string, flags: readonly string[] = []): void {
  execFileSync('g++', ['-shared', '-fPIC', ...flags, '-x', 'c++', '-', '-o', file], { input: source })
}

const addonWithoutCard = `
#include <node_api.h>
#include <cstdio>
#include <cstdlib>
static napi_value no(napi_env env, napi_callback_info) {
  napi_value value;
  napi_get_boolean(env, false, &value);
  return value;
}
NAPI_MODULE_INIT() {
  const char* place = "2026-01-01 00:00:00.000000: W tensorflow/gpu_device.cc:1] ";
  fprintf(stderr, "%sCannot dlopen some GPU libraries\\n", place);
  fprintf(stderr, "W0000 00:00:1764111111.123456 42 gpu.cc:2] libraries: %s, cards: %s\\n",
          getenv("LD_LIBRARY_PATH"), getenv("CUDA_VISIBLE_DEVICES"));
  napi_value answer;
  napi_create_function(env, "isUsingGpuDevice", NAPI_AUTO_LENGTH, no, nullptr, &answer);
  napi_set_named_property(env, exports, "isUsingGpuDevice", answer);
  return exports;
}
`

/** Compiles an addon of TensorFlow that finds no graphics card, and prints the libraries and the cards that it may see. */
export function buildAddonWithoutCard(file: string): void {
  const headers = join(import.meta.dirname, '../../node_modules/node-api-headers/include')
  buildLibrary(file, addonWithoutCard, ['-I', headers])
}

export function writeProgram(file: string, shell: string): void {
  writeFileSync(file, `#!/bin/sh\n${shell}\n`)
  chmodSync(file, 0o755)
}

export interface FakeInstallation {
  readonly root: string
  readonly tensorflow: string
  readonly addon: string
}

/** Creates an installation in `root` as `setup tensorflow` does, with `library` in place of TensorFlow's libraries. */
export function fakeInstallation(root: string, library: string, kind: 'cpu' | 'cuda'): FakeInstallation {
  const folder = join(root, `2.21.0-${kind}`)
  const tensorflow = join(folder, 'site-packages', 'tensorflow')
  const addon = join(folder, 'tfjs_binding.node')
  mkdirSync(tensorflow, { recursive: true })
  const bytes = readFileSync(library)
  for (const file of [addon, ...libraries.map((name) => join(tensorflow, name))]) writeFileSync(file, bytes)
  const record = {
    format: 1,
    version: '2.21.0',
    kind,
    tensorflow,
    addon,
    addonSha256: createHash('sha256').update(bytes).digest('hex'),
    libraries: Object.fromEntries(libraries.map((name) => [name, statSync(join(tensorflow, name)).size])),
    binding: '4.22.0',
    built: '2026-11-24T00:00:00.000Z',
  }
  writeFileSync(join(folder, 'installation.json'), JSON.stringify(record))
  return { root, tensorflow, addon }
}
