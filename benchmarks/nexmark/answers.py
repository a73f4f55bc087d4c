#!/usr/bin/env python3
"""The queries of Nexmark answered by DuckDB over dumped events: an implementation that shares nothing with ours.

  answers.py FOLDER      FOLDER/person, auction, bid (nexmark_dump) -> FOLDER/answers/qN, a row a line

DuckDB is installed once, from PyPI, into a virtual environment in the user's cache.
"""
import fcntl
import os
import subprocess
import sys
import venv

VERSION = "1.1.3"

TABLES = {
    "person": "id BIGINT, name VARCHAR, email VARCHAR, credit_card VARCHAR, city VARCHAR, state VARCHAR, time_ms BIGINT, "
              "extra VARCHAR",
    "auction": "id BIGINT, item VARCHAR, description VARCHAR, initial_bid BIGINT, reserve BIGINT, time_ms BIGINT, "
               "expires_ms BIGINT, seller BIGINT, category BIGINT, extra VARCHAR",
    "bid": "auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, url VARCHAR, time_ms BIGINT, extra VARCHAR",
}

DAY = "(time_ms // 86400000)"
MINUTE = "(time_ms % 86400000 // 60000)"
RANKS = ("true", "price < 10000", "price >= 10000 AND price < 1000000", "price >= 1000000")
COUNTS = ", ".join(f"count(*) FILTER ({rank})" for rank in RANKS)
DISTINCTS = ", ".join(f"count(DISTINCT {who}) FILTER ({rank})" for who in ("bidder", "auction") for rank in RANKS)
WON = ("auction A JOIN bid B ON A.id = B.auction AND B.time_ms BETWEEN A.time_ms AND A.expires_ms")

# Each query's columns and what they come from.
QUERIES = {
    "q0": ("auction, bidder, price, time_ms, extra", "bid"),
    "q1": ("auction, bidder, price * 908, time_ms, extra", "bid"),
    "q2": ("auction, price", "bid WHERE auction % 123 = 0"),
    "q3": ("P.name, P.city, P.state, A.id",
           "auction A JOIN person P ON A.seller = P.id WHERE A.category = 10 AND P.state IN ('OR', 'ID', 'CA')"),
    "q4": ("category, (sum(final) // count(*))::BIGINT",
           f"(SELECT max(B.price) AS final, A.category FROM {WON} GROUP BY A.id, A.category) GROUP BY category"),
    "q5": ("auction, num, start, start + 10000",
           "(SELECT *, max(num) OVER (PARTITION BY start) AS most FROM (SELECT auction, count(*) AS num, "
           "(time_ms // 2000 - k) * 2000 AS start FROM bid, range(5) AS hop(k) GROUP BY auction, start)) WHERE num = most"),
    "q7": ("auction, price, bidder, time_ms, extra",
           "(SELECT *, max(price) OVER (PARTITION BY time_ms // 10000) AS most FROM bid) WHERE price = most"),
    "q8": ("id, name, start",
           "(SELECT DISTINCT P.id, P.name, P.time_ms // 10000 * 10000 AS start FROM person P JOIN auction A "
           "ON P.id = A.seller AND P.time_ms // 10000 = A.time_ms // 10000)"),
    "q9": ("id, item, description, initial_bid, reserve, time_ms, expires_ms, seller, category, bidder, price, bid_ms, more",
           "(SELECT A.*, B.bidder, B.price, B.time_ms AS bid_ms, B.extra AS more, "
           "row_number() OVER (PARTITION BY A.id ORDER BY B.price DESC, B.time_ms) AS place "
           f"FROM {WON}) WHERE place = 1"),
    "q10": (f"{DAY}, {MINUTE}, auction, bidder, price, time_ms, extra", "bid"),
    "q11": ("bidder, count(*), min(time_ms), max(time_ms) + 10000",
            "(SELECT *, sum(CASE WHEN gap > 10000 THEN 1 ELSE 0 END) OVER (PARTITION BY bidder ORDER BY time_ms) AS visit "
            "FROM (SELECT *, time_ms - lag(time_ms) OVER (PARTITION BY bidder ORDER BY time_ms) AS gap FROM bid)) "
            "GROUP BY bidder, visit"),
    "q12": ("bidder, count(*)", "bid GROUP BY bidder"),
    "q13": ("auction, bidder, price, 'value ' || (auction % 10000)", "bid"),
    "q14": ("auction, bidder, price * 908, CASE WHEN hour BETWEEN 8 AND 18 THEN 'dayTime' WHEN hour <= 6 OR hour >= 20 "
            "THEN 'nightTime' ELSE 'otherTime' END, length(extra) - length(replace(extra, 'c', ''))",
            "(SELECT *, time_ms % 86400000 // 3600000 AS hour FROM bid) WHERE price * 908 > 1000000000 "
            "AND price * 908 < 50000000000"),
    "q15": (f"'', {DAY}, {COUNTS}, {DISTINCTS}, max({MINUTE})", f"bid GROUP BY {DAY}"),
    "q16": (f"channel, {DAY}, {COUNTS}, {DISTINCTS}, max({MINUTE})", f"bid GROUP BY channel, {DAY}"),
    "q17": (f"auction, {DAY}, {COUNTS}, min(price), max(price), (sum(price) // count(*))::BIGINT, sum(price)::BIGINT",
            f"bid GROUP BY auction, {DAY}"),
    "q18": ("auction, bidder, time_ms, price, channel, url, extra",
            "(SELECT *, row_number() OVER (PARTITION BY bidder, auction ORDER BY time_ms DESC) AS place FROM bid) "
            "WHERE place = 1"),
    "q19": ("auction, place, bidder, price, time_ms, extra",
            "(SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC, time_ms) AS place FROM bid) "
            "WHERE place <= 10"),
    "q20": ("B.auction, B.bidder, B.price, B.channel, B.url, B.time_ms, A.item, A.initial_bid, A.time_ms, A.expires_ms, "
            "A.seller, A.category", "bid B JOIN auction A ON B.auction = A.id WHERE A.category = 10"),
    "q21": ("auction, bidder, price, channel, CASE lower(channel) WHEN 'apple' THEN '0' WHEN 'google' THEN '1' "
            "WHEN 'facebook' THEN '2' WHEN 'baidu' THEN '3' ELSE regexp_extract(url, '(&|^)channel_id=([^&]*)', 2) END",
            "bid WHERE lower(channel) IN ('apple', 'google', 'facebook', 'baidu') "
            "OR regexp_matches(url, '(&|^)channel_id=')"),
    "q22": ("auction, bidder, price, channel, split_part(url, '/', 4), split_part(url, '/', 5), split_part(url, '/', 6)",
            "bid"),
    "q23": ("B.auction, B.bidder, B.price, B.time_ms, P.name, P.email, A.id",
            "bid B JOIN person P ON B.bidder = P.id JOIN auction A ON B.bidder = A.seller"),
}

# Of queries that tell what changes: how many columns in front are the key, which one of a row grows with each row of a
# key, and whether that one is no column of the answer.
CHANGELOGS = {"q4": (1, 1, True), "q9": (1, 1, True), "q15": (2, 2, True), "q16": (2, 2, True), "q17": (2, 2, False),
              "q18": (2, 2, False), "q19": (2, 2, True)}


def newest(query, rows):
    """The rows of a changelog that stand at its end, without what only says their order."""
    key_columns, version, dropped = CHANGELOGS[query]
    last = {}
    for row in rows:
        fields = row.split("|")
        key = tuple(fields[:key_columns])
        if key not in last or int(fields[version]) > int(last[key][version]):
            last[key] = fields
    return ["|".join(fields[:version] + fields[version + 1:] if dropped else fields) for fields in last.values()]


def interpreter():
    """A Python that has DuckDB. Safe to ask for many at a time."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    root = os.path.join(base, "penstock", f"duckdb-{VERSION}")
    os.makedirs(root, exist_ok=True)
    python = os.path.join(root, "venv", "bin", "python")
    done = os.path.join(root, "done")
    with open(os.path.join(root, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(done):
            venv.create(os.path.join(root, "venv"), clear=True, with_pip=True)
            subprocess.run([python, "-m", "pip", "-q", "install", "--disable-pip-version-check", f"duckdb=={VERSION}"],
                           check=True, stdout=sys.stderr)
            open(done, "w").close()
    return python


def answer(folder):
    subprocess.run([interpreter(), os.path.abspath(__file__), folder], check=True)


def main(folder):
    import duckdb
    db = duckdb.connect()
    for table, columns in TABLES.items():
        db.execute(f"CREATE TABLE {table} ({columns})")
        db.execute(f"COPY {table} FROM '{folder}/{table}' (FORMAT CSV, DELIMITER '|', HEADER false, QUOTE '', ESCAPE '', "
                   "NULLSTR '\\N', AUTO_DETECT false)")
    os.makedirs(f"{folder}/answers", exist_ok=True)
    for query, (columns, source) in QUERIES.items():
        with open(f"{folder}/answers/{query}", "w") as file:
            for row in db.execute(f"SELECT {columns} FROM {source}").fetchall():
                file.write("|".join(map(str, row)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
