"""Programs arrive whole: over a connection that breaks, and never under a digest that is not theirs."""
import os

from cluster import UNREACHABLE, Cluster, SystemTest, main, program
from proxy import CuttingProxy

MEGABYTE = 1 << 20
PART = {"Content-Type": "application/octet-stream"}

cluster = None


def setUpModule():
    global cluster
    cluster = Cluster()


def tearDownModule():
    cluster.stop()


class Upload(SystemTest):
    def test_an_upload_survives_broken_connections(self):
        proxy = CuttingProxy(cluster.rest, cut_after_bytes=2 * MEGABYTE, cuts=3)
        self.addCleanup(proxy.close)
        path, out = program("system_steady"), os.path.join(cluster.folder, "uploaded")
        result = cluster.cli("run", path, "--", "--count", "100", "--out", out, jobmanager=proxy.address)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("FINISHED", result.stdout)
        self.assertEqual(proxy.cuts_left, 0, "the program is too small to be cut")
        # What had come was not sent again: only what was under way at each cut.
        size = os.path.getsize(path)
        self.assertLess(proxy.upstream_bytes, size + 3 * MEGABYTE)

    def test_a_connection_that_always_breaks_is_given_up(self):
        proxy = CuttingProxy(cluster.rest, cut_after_bytes=0, cuts=1000)
        self.addCleanup(proxy.close)
        result = cluster.cli("run", program("system_faulty"), "--", "--fault", "throw", jobmanager=proxy.address)
        self.assert_one_line(result, UNREACHABLE, proxy.address)

    def test_a_wrong_digest_is_refused(self):
        digest = "a" * 64
        status, _, text = cluster.request("PUT", f"/v2/programs/{digest}", b"no such program", PART)
        self.assertEqual(status, 422, text)
        self.assertIn(digest, text)
        self.assertEqual(cluster.request("HEAD", f"/v2/programs/{digest}")[0], 404)
        status, _, text = cluster.request("PUT", "/v2/programs/short", b"x", PART)
        self.assertEqual(status, 400, text)

    def test_a_gap_is_refused_with_the_right_offset(self):
        digest = "b" * 64
        headers = {**PART, "Upload-Offset": "0", "Upload-Length": "100"}
        self.assertEqual(cluster.request("PATCH", f"/v2/programs/{digest}", b"x" * 10, headers)[0], 202)
        headers["Upload-Offset"] = "50"
        status, answered, text = cluster.request("PATCH", f"/v2/programs/{digest}", b"x" * 10, headers)
        self.assertEqual((status, answered["Upload-Offset"]), (409, "10"), text)


if __name__ == "__main__":
    main()
