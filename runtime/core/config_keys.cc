// The table of every configuration key. Order: as the reference page shows it.
#include <algorithm>

#include "runtime/core/config.h"
#include "runtime/core/units.h"

namespace penstock {
namespace {

constexpr int64_t kPortMax = 65535;
constexpr int64_t kAny = std::numeric_limits<int64_t>::max();
constexpr auto kString = ConfigType::kString;
constexpr auto kInt = ConfigType::kInt;
constexpr auto kBool = ConfigType::kBool;
constexpr auto kDurationMs = ConfigType::kDurationMs;
constexpr auto kBytes = ConfigType::kBytes;
constexpr auto kDouble = ConfigType::kDouble;

}  // namespace

const std::vector<ConfigKey>& ConfigKeys() {
  static const auto* keys = new std::vector<ConfigKey>{
      {"jobmanager.rpc.address", kString, "127.0.0.1",
       "Host at which TaskManagers and workers reach the JobManager, and which its control service binds."},
      {"jobmanager.rpc.port", kInt, "6123", "Port of the JobManager's control service; 0 takes a free one.", 0,
       kPortMax},
      {"rest.address", kString, "127.0.0.1", "Address the REST server and dashboard bind."},
      {"rest.port", kInt, "8081", "Port of the REST server; 0 takes a free one.", 0, kPortMax},
      {"rest.local-token-file", kString, "",
       "File of the token that changing REST calls need, made readable for its user only. Empty: rest-token-<port> in "
       "$PENSTOCK_RUN_DIR or ~/.penstock."},
      {"rest.allow-origin-hosts", kString, "",
       "Further Host names, comma-separated, under which the REST server may be reached (behind a proxy)."},
      {"insecure", kBool, "false", "Allows listeners on addresses other than loopback without authentication."},
      {"web.ui.dir", kString, "", "Folder of static files to serve at / in place of the built-in page."},
      {"web.refresh-interval", kDurationMs, "3 s", "How often the dashboard asks for news.", 100, kAny},
      {"web.upload.dir", kString, "",
       "Folder of uploaded job programs. Empty: programs in the JobManager's working directory."},
      {"web.upload.max-size", kBytes, "1 gb", "Largest job program or bundle that is accepted.", 1, kAny},
      {"cluster.token-file", kString, "",
       "File of the secret that TaskManagers show to the JobManager; the same content on both. Empty: none is asked "
       "for."},
      {"heartbeat.interval", kDurationMs, "1 s", "How often TaskManagers and workers report.", 10, kAny},
      {"heartbeat.timeout", kDurationMs, "5 s", "Silence after which a TaskManager or worker counts as lost.", 20,
       kAny},
      {"jobmanager.log.dir", kString, "",
       "Folder of log files that REST shows as the JobManager's (it logs to stderr itself)."},
      {"taskmanager.numberOfTaskSlots", kInt, "2", "Slots of a TaskManager: subtasks of one vertex it takes.", 1, 4096},
      {"taskmanager.host", kString, "127.0.0.1", "Address at which workers of this host are reachable by others."},
      {"taskmanager.id", kString, "", "Name of the TaskManager. Empty: made from host and a random part."},
      {"taskmanager.log.dir", kString, "", "Folder of log files. Empty: log in the temporary folder."},
      {"taskmanager.tmp.dir", kString, "", "Folder of programs and worker directories. Empty: made under /tmp."},
      {"taskmanager.memory.size", kBytes, "0",
       "Memory that the workers of a TaskManager share, by slots. 0: the cgroup's limit less what the TaskManager "
       "itself needs, without one three quarters of the machine's memory."},
      {"taskmanager.memory.segment-size", kBytes, "32 kb", "Size of one network buffer.", 1024, 16 << 20},
      {"taskmanager.network.memory.size", kBytes, "64 mb", "Network buffers of one worker.", 1 << 20, kAny},
      {"taskmanager.network.memory.buffer-debloat.enabled", kBool, "true",
       "Lets no more be under way to a task than it consumes in a while, so that barriers are not stuck in full "
       "queues."},
      {"taskmanager.network.memory.buffer-debloat.target", kDurationMs, "200 ms",
       "Time in which a task should consume what is under way to it.", 1, kAny},
      {"taskmanager.network.memory.buffer-debloat.period", kDurationMs, "200 ms",
       "How often a task's throughput is measured for that.", 10, kAny},
      {"task.cancellation.timeout", kDurationMs, "10 s",
       "How long a cancelled task may take before its worker is "
       "killed.",
       1, kAny},
      {"parallelism.default", kInt, "1", "Parallelism of a job that names none.", 1, 32768},
      {"cluster.id", kString, "penstock", "Name of the cluster: derived names (transactional ids) begin with it."},
      {"high-availability.type", kString, "none",
       "Which of several JobManagers of one cluster.id leads: none (there is one), or file (who holds the lock in "
       "high-availability.lock-dir).",
       0, kAny, "none|file"},
      {"high-availability.storageDir", kString, "",
       "Storage of jobs, programs and results, found again by a JobManager that is restarted. Empty: "
       "execution.checkpointing.dir where that is set, else jobs end with their JobManager."},
      {"high-availability.lock-dir", kString, "",
       "Directory of the leader's lock, seen by all JobManagers. Empty: leader in high-availability.storageDir, which "
       "must then be a directory."},
      {"high-availability.lease", kDurationMs, "10 s",
       "Silence after which a leader that still holds the lock is replaced.", 100, kAny},
      {"high-availability.jobmanagers", kString, "",
       "host:port of the control services of all JobManagers, comma-separated, which TaskManagers try in turn. Empty: "
       "jobmanager.rpc.address and .port."},
      {"jobstore.max-capacity", kInt, "100", "Jobs that have ended and are still listed.", 1, 100'000},
      {"jobstore.expiration-time", kDurationMs, "24 h", "How long a job that has ended is listed.", 1, kAny},
      {"execution.checkpointing.dir", kString, "",
       "Where checkpoints and durable jobs lie: file:///path that all machines see, or s3://bucket/prefix. Empty: no "
       "checkpoints."},
      {"execution.checkpointing.interval", kDurationMs, "0 s", "How often a checkpoint is taken; 0: when asked for."},
      {"execution.checkpointing.timeout", kDurationMs, "10 min", "After which a checkpoint is given up.", 1, kAny},
      {"execution.checkpointing.min-pause", kDurationMs, "0 s", "Least time between two checkpoints."},
      {"execution.checkpointing.tolerable-failed-checkpoints", kInt, "-1",
       "Checkpoints in a row that may be given up before the attempt fails; -1: any number.", -1, kAny},
      {"execution.checkpointing.savepoint-dir", kString, "",
       "Where savepoints are copied that name no directory. Empty: they stay beside the checkpoints."},
      {"execution.checkpointing.num-retained", kInt, "3", "Checkpoints that are kept.", 1, 1000},
      {"s3.endpoint", kString, "",
       "Server of s3:// storage, such as https://storage.example.com:9000. Empty: AWS_ENDPOINT_URL_S3, else Amazon's."},
      {"s3.region", kString, "", "Region of the bucket. Empty: AWS_REGION, AWS_DEFAULT_REGION, else us-east-1."},
      {"s3.access-key", kString, "", "Name of the key of s3:// storage. Empty: AWS_ACCESS_KEY_ID."},
      {"s3.secret-key", kString, "", "The key's secret. Empty: AWS_SECRET_ACCESS_KEY.", 0, kAny, "", true},
      {"s3.session-token", kString, "", "Token of a temporary key. Empty: AWS_SESSION_TOKEN.", 0, kAny, "", true},
      {"s3.path.style.access", kBool, "false",
       "Puts the bucket into the path instead of before the host's name, as most servers other than Amazon's want it."},
      {"s3.connection.maximum", kInt, "16", "Connections that a process holds open to s3:// storage at once.", 1, 1024},
      {"state.backend.type", kString, "rocksdb",
       "rocksdb: state beyond its memory lies in RocksDB; hashmap: all of it in memory.", 0, kAny, "rocksdb|hashmap"},
      {"sink.exactly-once.missing-marker", kString, "fail",
       "An exactly-once Kafka sink whose commits the broker has forgotten: fail, rewrite (may repeat) or skip (may "
       "lose).",
       0, kAny, "fail|rewrite|skip"},
      {"state.memory.size", kBytes, "0",
       "Memory for keyed state of one worker: hot entries, RocksDB's cache and memtables. 0: what its grant leaves.", 0,
       kAny},
      {"state.backend.rocksdb.writebuffer.size", kBytes, "16 mb", "RocksDB's write_buffer_size of one state.", 64 << 10,
       kAny},
      {"state.backend.rocksdb.writebuffer.count", kInt, "2", "RocksDB's max_write_buffer_number of one state.", 2, 64},
      {"state.backend.rocksdb.block.cache-size", kBytes, "0",
       "RocksDB's block cache, of a worker's memory for keyed state: filters, indices, blocks. 0: an eighth of it.", 0,
       kAny},
      {"state.backend.rocksdb.block.blocksize", kBytes, "8 kb", "RocksDB's block_size.", 1 << 10, 1 << 20},
      {"state.backend.rocksdb.bloom-filter.bits-per-key", kDouble, "10",
       "Bits of RocksDB's Bloom filters for each key; 0: no filters."},
      {"state.backend.rocksdb.compaction.level.target-file-size-base", kBytes, "64 mb",
       "RocksDB's target_file_size_base.", 1 << 20, kAny},
      {"state.backend.rocksdb.thread.num", kInt, "2", "RocksDB's max_background_jobs of one task.", 1, 64},
      {"state.backend.rocksdb.compaction.level.use-dynamic-size", kBool, "true",
       "RocksDB's level_compaction_dynamic_level_bytes."},
      {"state.backend.rocksdb.compression", kString, "lz4", "Compression of RocksDB's files.", 0, kAny,
       "none|lz4|zstd"},
      {"state.backend.local-dir", kString, "",
       "Folder of local state on each TaskManager's machine. Empty: the TaskManager's own (taskmanager.tmp.dir)."},
      {"state.backend.local-recovery", kBool, "true",
       "Keep copies of keyed state on the TaskManager's disk until the job ends, so that a restart need not read it "
       "from checkpoint storage."},
      {"restart-strategy.type", kString, "auto",
       "What happens after a failure. auto: exponential-delay with checkpoints, else none.", 0, kAny,
       "auto|none|fixed-delay|exponential-delay|failure-rate"},
      {"restart-strategy.fixed-delay.attempts", kInt, "1", "Restarts before the job fails.", 0, kAny},
      {"restart-strategy.fixed-delay.delay", kDurationMs, "1 s", "Time between failure and restart."},
      {"restart-strategy.exponential-delay.initial-backoff", kDurationMs, "100 ms",
       "First time between failure and "
       "restart.",
       1, kAny},
      {"restart-strategy.exponential-delay.max-backoff", kDurationMs, "1 min",
       "Longest time between failure and "
       "restart.",
       1, kAny},
      {"restart-strategy.exponential-delay.backoff-multiplier", kDouble, "1.5", "Factor from one delay to the next."},
      {"restart-strategy.exponential-delay.reset-backoff-threshold", kDurationMs, "1 h",
       "Time without a failure after which the delay starts again at its first value.", 1, kAny},
      {"restart-strategy.failure-rate.max-failures-per-interval", kInt, "1",
       "Failures within the interval after which the job fails at the next one.", 1, kAny},
      {"restart-strategy.failure-rate.failure-rate-interval", kDurationMs, "1 min", "The interval.", 1, kAny},
      {"restart-strategy.failure-rate.delay", kDurationMs, "1 s", "Time between failure and restart."},
      {"execution.buffer-timeout", kDurationMs, "100 ms", "Longest time a record waits in a buffer that is not full."},
      {"pipeline.max-parallelism", kInt, "720", "Key groups: the highest parallelism keyed state can be spread over.",
       1, 32768},
      {"pipeline.auto-watermark-interval", kDurationMs, "200 ms", "How often sources emit watermarks.", 1, kAny},
      {"metrics.port", kInt, "0", "Port of /metrics (Prometheus); 0 takes a free one.", 0, kPortMax},
      {"log.level", kString, "info", "Least level of a line that is logged.", 0, kAny, "debug|info|warn|error"},
      {"io.ports-file", kString, "",
       "File into which a process writes the ports it bound, as key=value lines, once it is ready."},
  };
  return *keys;
}

const ConfigKey* FindConfigKey(std::string_view name) {
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

std::string_view NearestConfigKey(std::string_view name) {
  const auto& keys = ConfigKeys();
  const auto nearest = std::min_element(keys.begin(), keys.end(), [&](const ConfigKey& a, const ConfigKey& b) {
    return EditDistance(a.name, name) < EditDistance(b.name, name);
  });
  return nearest->name;
}

}  // namespace penstock
