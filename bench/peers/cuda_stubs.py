"""Writes a stand-in for each CUDA library that the installed PyTorch links, so that its processor part loads without them.

The real libraries take 5 GB. Every function of a stand-in returns 0, so that PyTorch finds no device.
"""
import pathlib
import re
import subprocess
import sysconfig
import tempfile

LIBRARIES = pathlib.Path(sysconfig.get_path("purelib")) / "torch" / "lib"
IS_CUDA = re.compile("(lib)?(cu|nv|nccl)")


def output(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def inspect(files):
    """The versions that each needed CUDA library is expected to define, the undefined symbols, and the defined ones."""
    versions, undefined, defined = {}, set(), set()
    for file in files:
        needed = re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-dW", file))
        for library in filter(IS_CUDA.match, needed):
            versions.setdefault(library, set())
        _, _, needs = output("readelf", "-VW", file).partition("Version needs")
        for kind, name in re.findall(r"(File|Name): (\S+)", needs):
            if kind == "File":
                library = name
            elif library in versions:
                versions[library].add(name)
        for line in output("nm", "-D", file).splitlines():
            *_, kind, symbol = line.split()
            (undefined if kind == "U" else defined).add(symbol)
    return versions, undefined, {symbol.split("@")[0] for symbol in defined}


def write_stub(library, symbols, unversioned):
    """@param symbols: by version; the loader demands that a versioned symbol is in the library of its version"""
    names = [name for each in symbols.values() for name in each] if symbols else unversioned
    nodes = [f"{version} {{ global: {' '.join(f'{name};' for name in names)} }};" for version, names in symbols.items()]
    with tempfile.NamedTemporaryFile("w", suffix=".map") as script:
        script.write("\n".join(nodes))
        script.flush()
        versioned = [f"-Wl,--version-script={script.name}"] if symbols else []
        # The compiler knows some of the names, with other types.
        options = ["-w", "-shared", "-fPIC", "-fno-builtin", f"-Wl,-soname,{library}", *versioned]
        source = "\n".join(f"long {name}(void) {{ return 0; }}" for name in names)
        output("cc", *options, "-o", LIBRARIES / library, "-x", "c", "-", input=source)


def main():
    present = [file for file in LIBRARIES.glob("*.so*") if not IS_CUDA.match(file.name)]
    versions, undefined, defined = inspect(present)
    unversioned = {symbol for symbol in undefined - defined if "@" not in symbol and IS_CUDA.match(symbol)}
    for library, expected in versions.items():
        symbols = {
            version: [symbol.split("@")[0] for symbol in undefined if symbol.endswith(f"@{version}")]
            for version in expected
        }
        write_stub(library, symbols, unversioned)


if __name__ == "__main__":
    main()
