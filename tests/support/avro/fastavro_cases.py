#!/usr/bin/env python3
"""Cases for the Avro resolver, answered by fastavro, an implementation that shares nothing with ours.

  fastavro_cases.py --seed S --count N     one JSON object per line on standard output:
    {"writer": schema, "reader": schema, "bytes": hex, "broken": bool,
     "written": value, "read": value or null, "error": text}

`written` is what the bytes say by the writer's schema, `read` by the reader's, or `error` what fastavro has against it.
`broken`: the reader's schema was made so that some data of the writer cannot be read. Values are JSON: floats as
{"f": the hexadecimal of their double}, bytes and fixed as {"b": hexadecimal}.

fastavro is installed once, from PyPI, into a virtual environment in the user's cache.
"""
import argparse
import fcntl
import io
import json
import os
import random
import struct
import subprocess
import sys
import venv

VERSION = "1.13.1"
CHARACTERS = "ab\u00e9\u20ac\U0001d11e\"\\ \n"


def cache_dir():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "penstock", f"fastavro-{VERSION}")


def fetch():
    """The interpreter of the environment. Safe to run many at a time."""
    root = cache_dir()
    os.makedirs(root, exist_ok=True)
    python = os.path.join(root, "venv", "bin", "python")
    done = os.path.join(root, "done")
    with open(os.path.join(root, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(done):
            venv.create(os.path.join(root, "venv"), clear=True, with_pip=True)
            subprocess.run([python, "-m", "pip", "-q", "install", "--disable-pip-version-check", f"fastavro=={VERSION}"],
                           check=True, stdout=sys.stderr)
            open(done, "w").close()
    return python


class Schemas:
    """Random schemas, and readers' schemas made of writers' ones."""

    def __init__(self, rng):
        self.rng = rng
        self.names = 0
        self.broken = False

    def name(self, stem):
        self.names += 1
        return f"{stem}{self.names}"

    def primitive(self):
        rng = self.rng
        name = rng.choice(["null", "boolean", "int", "long", "float", "double", "bytes", "string"])
        if name in ("int", "long") and rng.random() < 0.1:
            return {"type": name, "logicalType": "of-our-own"}
        return name

    def any(self, depth):
        rng = self.rng
        kind = rng.random()
        if depth == 0 or kind < 0.45:
            return self.primitive()
        if kind < 0.55:
            return {"type": "array", "items": self.any(depth - 1)}
        if kind < 0.63:
            return {"type": "map", "values": self.any(depth - 1)}
        if kind < 0.70:
            return {"type": "fixed", "name": self.name("F"), "size": rng.randint(0, 5)}
        if kind < 0.77:
            schema = {"type": "enum", "name": self.name("E"), "symbols": [f"S{i}" for i in range(rng.randint(1, 5))]}
            if rng.random() < 0.3:
                schema["namespace"] = "some.where"
            return schema
        if kind < 0.88:
            return self.union(depth)
        return self.record(depth)

    def union(self, depth):
        branches, seen = [], set()
        for _ in range(self.rng.randint(1, 4)):
            branch = self.any(depth - 1)
            kind = kind_of(branch)
            if isinstance(branch, list) or (kind in seen and kind not in ("record", "enum", "fixed")):
                continue
            seen.add(kind)
            branches.append(branch)
        return in_safe_order(branches) or ["null"]

    def record(self, depth):
        name = self.name("R")
        fields = [{"name": f"f{i}", "type": self.any(depth - 1)} for i in range(self.rng.randint(0, 5))]
        if self.rng.random() < 0.15:
            fields.append({"name": "next", "type": ["null", name]})
        return {"type": "record", "name": name, "fields": fields}

    # ---- readers ----

    def reader(self, schema):
        """A schema that can mostly read the data of `schema`."""
        rng = self.rng
        if isinstance(schema, list):
            return self.union_reader(schema)
        if rng.random() < 0.08 and kind_of(schema) != "null":
            return in_safe_order(["null", self.reader_of_one(schema)])
        return self.reader_of_one(schema)

    def union_reader(self, schema):
        rng = self.rng
        branches = [self.reader_of_one(branch) for branch in schema]
        if rng.random() < 0.2 and len(branches) == 1:
            return branches[0]
        if rng.random() < 0.06 and len(branches) > 1:
            self.broken = True
            branches.pop(rng.randrange(len(branches)))
        kinds = [kind_of(branch) for branch in branches]
        if rng.random() < 0.2 and "boolean" not in kinds:
            branches.append("boolean")
        rng.shuffle(branches)
        unique, seen = [], set()
        for branch in branches:
            key = branch.get("name", kind_of(branch)) if isinstance(branch, dict) else branch
            if key not in seen:
                seen.add(key)
                unique.append(branch)
        return in_safe_order(unique)

    def reader_of_one(self, schema):
        rng = self.rng
        kind = kind_of(schema)
        if rng.random() < 0.02:
            self.broken = True
            return "boolean" if kind != "boolean" else "string"
        if kind == "array":
            return {"type": "array", "items": self.reader(schema["items"])}
        if kind == "map":
            return {"type": "map", "values": self.reader(schema["values"])}
        if kind == "record":
            return self.record_reader(schema)
        if kind == "enum":
            return self.enum_reader(schema)
        if kind == "fixed":
            return dict(schema)
        wider = {"int": ["long", "float", "double"], "long": ["float", "double"], "float": ["double"],
                 "string": ["bytes"], "bytes": ["string"]}.get(kind, [])
        return rng.choice(wider) if wider and rng.random() < 0.3 else schema

    def enum_reader(self, schema):
        rng = self.rng
        reader = dict(schema, symbols=list(schema["symbols"]))
        if rng.random() < 0.4:
            reader["symbols"].append("Added")
        if rng.random() < 0.2 and len(reader["symbols"]) > 1:
            reader["symbols"].pop(rng.randrange(len(reader["symbols"])))
            if rng.random() < 0.7:
                reader["default"] = reader["symbols"][0]
            else:
                self.broken = True
        rng.shuffle(reader["symbols"])
        return reader

    def record_reader(self, schema):
        rng = self.rng
        name = schema["name"]
        reader = {"type": "record", "name": name}
        if rng.random() < 0.15:
            reader["name"] = self.name("Renamed")
            reader["aliases"] = [name]
        fields = []
        for field in schema["fields"]:
            if rng.random() < 0.12:
                continue
            own = {"name": field["name"]}
            if field["name"] == "next":
                own["type"] = ["null", reader["name"]]
            else:
                own["type"] = self.reader(field["type"])
            if rng.random() < 0.12:
                own["aliases"] = [own["name"], "nobody"]
                own["name"] = self.name("renamed_")
            fields.append(own)
        while rng.random() < 0.3:
            fields.append(self.added_field())
        if rng.random() < 0.02:
            self.broken = True
            fields.append({"name": self.name("needed"), "type": "int"})
        rng.shuffle(fields)
        reader["fields"] = fields
        return reader

    def added_field(self):
        schema, default = self.rng.choice([
            ("int", -3), ("long", 1 << 40), ("float", 1.5), ("double", -0.1), ("double", 3), ("string", "d\u00e9"),
            ("bytes", "a\u00ff"), ("boolean", True), ("null", None), (["null", "string"], None), (["int", "null"], 7),
            ({"type": "array", "items": "long"}, [1, 2]), ({"type": "array", "items": "long"}, []),
            ({"type": "map", "values": "string"}, {"k": "v"}),
            ({"type": "enum", "name": self.name("DE"), "symbols": ["X", "Y"]}, "Y"),
            ({"type": "fixed", "name": self.name("DF"), "size": 2}, "\u0001\u00fe"),
            ({"type": "record", "name": self.name("DR"), "fields": [{"name": "a", "type": "int"}]}, {"a": 4}),
        ])
        return {"name": self.name("added"), "type": schema, "default": default}


def kind_of(schema):
    if isinstance(schema, list):
        return "union"
    return schema["type"] if isinstance(schema, dict) else schema


def in_safe_order(branches):
    """Each type before those it may be promoted to: fastavro takes the first branch that fits, we the same type first."""
    order = ["int", "long", "float", "double"]
    ranked = sorted((b for b in branches if kind_of(b) in order), key=lambda b: order.index(kind_of(b)))
    numbers = iter(ranked)
    result = [next(numbers) if kind_of(b) in order else b for b in branches]
    text = [b for b in result if kind_of(b) in ("string", "bytes")]
    # A string would go into bytes that stand before it.
    return [b for b in result if kind_of(b) not in ("string", "bytes")] + text[:1]


class Data:
    def __init__(self, rng):
        self.rng = rng

    def text(self):
        return "".join(self.rng.choice(CHARACTERS) for _ in range(self.rng.randint(0, 6)))

    def of(self, schema, named, depth=0):
        rng = self.rng
        kind = kind_of(schema)
        if kind in named:
            return self.of(named[kind], named, depth + 1)
        if kind == "null":
            return None
        if kind == "boolean":
            return rng.random() < 0.5
        if kind in ("int", "long"):
            return rng.choice([0, -1, 1, rng.randint(-1 << 20, 1 << 20), 64, -65])
        if kind == "float":
            return struct.unpack("<f", struct.pack("<f", rng.uniform(-1e6, 1e6)))[0]
        if kind == "double":
            return rng.uniform(-1e9, 1e9)
        if kind == "string":
            return self.text()
        if kind == "bytes":
            # Text: a reader may want it as a string.
            return self.text().encode()
        if kind == "fixed":
            return bytes(rng.randrange(256) for _ in range(schema["size"]))
        if kind == "enum":
            return rng.choice(schema["symbols"])
        if kind == "array":
            return [self.of(schema["items"], named, depth + 1) for _ in range(rng.randint(1, 3))]
        if kind == "map":
            return {self.text(): self.of(schema["values"], named, depth + 1) for _ in range(rng.randint(1, 3))}
        if kind == "union":
            branch = schema[0] if depth > 8 else rng.choice(schema)
            value = self.of(branch, named, depth + 1)
            # A tuple names a record's branch.
            if kind_of(branch) in named:
                return (branch, value)
            return (branch["name"], value) if kind_of(branch) == "record" else value
        return {f["name"]: self.of(f["type"], named, depth + 1) for f in schema["fields"]}


def named_types(schema, found):
    if isinstance(schema, list):
        for branch in schema:
            named_types(branch, found)
    elif isinstance(schema, dict):
        if schema["type"] == "record":
            found[schema["name"]] = schema
            for field in schema["fields"]:
                named_types(field["type"], found)
        elif "items" in schema or "values" in schema:
            named_types(schema.get("items", schema.get("values")), found)
    return found


def fits(value, schema, named, in_record=False):
    """In a record the value may be a default, as it stands in the schema."""
    kind = kind_of(schema)
    schema = named.get(kind, schema)
    kind = kind_of(schema)
    if kind == "union":
        return any(fits(value, branch, named) for branch in schema)
    if value is None or isinstance(value, bool):
        return kind == ("null" if value is None else "boolean")
    if isinstance(value, int):
        return kind in ("int", "long") or (in_record and kind in ("float", "double"))
    if isinstance(value, float):
        return kind in ("float", "double")
    if isinstance(value, str):
        return kind == "string" or (kind == "enum" and value in schema["symbols"]) or (
            in_record and kind in ("bytes", "fixed"))
    if isinstance(value, bytes):
        return kind == "bytes" or (kind == "fixed" and len(value) == schema["size"])
    if isinstance(value, list):
        return kind == "array" and all(fits(each, schema["items"], named) for each in value)
    if kind == "map":
        return all(fits(each, schema["values"], named) for each in value.values())
    return kind == "record" and set(value) == {f["name"] for f in schema["fields"]} and all(
        fits(value[f["name"]], f["type"], named, True) for f in schema["fields"])


def canonical(value, schema, named):
    """The value as JSON; by its schema, because fastavro leaves defaults as they stand in the schema."""
    kind = kind_of(schema)
    schema = named.get(kind, schema)
    kind = kind_of(schema)
    if kind == "union":
        branch = next((b for b in schema if fits(value, b, named)), None)
        return canonical(value, branch if branch is not None else "null", named)
    if kind in ("float", "double"):
        return {"f": struct.pack(">d", float(value)).hex()}
    if kind in ("bytes", "fixed"):
        return {"b": (value.encode("latin-1") if isinstance(value, str) else value).hex()}
    if kind == "array":
        return [canonical(each, schema["items"], named) for each in value]
    if kind == "map":
        return {key: canonical(each, schema["values"], named) for key, each in value.items()}
    if kind == "record":
        return {f["name"]: canonical(value[f["name"]], f["type"], named) for f in schema["fields"]}
    return value


def cases(seed, count):
    import fastavro
    import fastavro.schema
    rng = random.Random(seed)
    made = 0
    while made < count:
        schemas = Schemas(rng)
        writer = schemas.record(3) if rng.random() < 0.7 else schemas.any(3)
        reader = schemas.reader(writer)
        named = named_types(writer, {})
        parsed_writer = fastavro.schema.parse_schema(json.loads(json.dumps(writer)))
        parsed_reader = fastavro.schema.parse_schema(json.loads(json.dumps(reader)))
        for _ in range(3):
            value = Data(rng).of(writer, named)
            out = io.BytesIO()
            fastavro.schemaless_writer(out, parsed_writer, value)
            case = {"writer": writer, "reader": reader, "bytes": out.getvalue().hex(), "broken": schemas.broken}
            plain = fastavro.schemaless_reader(io.BytesIO(out.getvalue()), parsed_writer, None)
            case["written"] = canonical(plain, writer, named)
            try:
                read = fastavro.schemaless_reader(io.BytesIO(out.getvalue()), parsed_writer, parsed_reader)
                case["read"] = canonical(read, reader, named_types(reader, {}))
            except Exception as error:  # whatever it has against the data
                case["error"] = f"{type(error).__name__}: {error}"[:300]
            print(json.dumps(case))
            made += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--in-environment", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if not args.in_environment:
        python = fetch()
        os.execv(python, [python, os.path.abspath(__file__), "--in-environment", *sys.argv[1:]])
    cases(args.seed, args.count)


if __name__ == "__main__":
    main()
