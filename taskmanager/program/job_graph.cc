#include "taskmanager/program/job_graph.h"

#include <exception>
#include <memory>
#include <utility>

#include "runtime/core/config.h"
#include "runtime/core/stack_trace.h"
#include "runtime/core/status.h"
#include "taskmanager/worker/job_executor.h"

namespace penstock::program {
namespace {

absl::StatusOr<Config> ConfigOf(const proto::WorkerSpec& spec) {
  ConfigSources sources;
  for (const auto& [key, value] : spec.config()) sources.overrides.emplace_back(key, value);
  return Config::Load(sources);
}

DebloatOptions DebloatOf(const Config& config) {
  DebloatOptions options;
  options.enabled = config.GetBool("taskmanager.network.memory.buffer-debloat.enabled");
  options.target_ms = config.GetDurationMs("taskmanager.network.memory.buffer-debloat.target");
  options.period_ms = config.GetDurationMs("taskmanager.network.memory.buffer-debloat.period");
  return options;
}

absl::StatusOr<worker::JobExecutorOptions> OptionsOf(const proto::WorkerSpec& spec, const Config& config) {
  PENSTOCK_ASSIGN_OR_RETURN(const JobId job, JobId::Parse(spec.job_id()));
  worker::JobExecutorOptions options;
  options.job = job;
  options.attempt = AttemptId(spec.attempt());
  if (!spec.data_host().empty()) options.data_host = spec.data_host();
  options.insecure = config.GetBool("insecure");
  options.network_memory_bytes = config.GetBytes("taskmanager.network.memory.size");
  options.segment_bytes = static_cast<int32_t>(config.GetBytes("taskmanager.memory.segment-size"));
  options.task.buffer_timeout_ms = config.GetDurationMs("execution.buffer-timeout");
  options.task.auto_watermark_interval_ms = config.GetDurationMs("pipeline.auto-watermark-interval");
  options.task.debloat = DebloatOf(config);
  options.work_dir = spec.state_dir();
  if (config.GetBool("state.backend.local-recovery")) options.copies_dir = spec.copies_dir();
  options.state.rocksdb = config.GetString("state.backend.type") == "rocksdb";
  options.memory_grant_bytes = spec.memory_grant_bytes();
  options.state.memory_bytes = config.GetBytes("state.memory.size");
  options.state.write_buffer_bytes = config.GetBytes("state.backend.rocksdb.writebuffer.size");
  options.state.max_background_jobs = static_cast<int>(config.GetInt("state.backend.rocksdb.thread.num"));
  options.state.dynamic_levels = config.GetBool("state.backend.rocksdb.compaction.level.use-dynamic-size");
  options.state.block_cache_bytes = config.GetBytes("state.backend.rocksdb.block.cache-size");
  options.state.write_buffers_max = static_cast<int>(config.GetInt("state.backend.rocksdb.writebuffer.count"));
  options.state.block_bytes = config.GetBytes("state.backend.rocksdb.block.blocksize");
  options.state.target_file_bytes = config.GetBytes("state.backend.rocksdb.compaction.level.target-file-size-base");
  options.state.bloom_bits_per_key = config.GetDouble("state.backend.rocksdb.bloom-filter.bits-per-key");
  const std::string compression = config.GetString("state.backend.rocksdb.compression");
  options.state.compression = compression == "zstd"  ? RocksCompression::kZstd
                              : compression == "lz4" ? RocksCompression::kLz4
                                                     : RocksCompression::kNone;
  const std::string missing_marker = config.GetString("sink.exactly-once.missing-marker");
  options.missing_marker = missing_marker == "rewrite" ? MissingMarker::kRewrite
                           : missing_marker == "skip"  ? MissingMarker::kSkip
                                                       : MissingMarker::kFail;
  options.storage = StorageOptions::From(config);
  options.throw_stack = &LastThrowStack;
  options.symbolize = &SymbolizeHere;
  return options;
}

absl::Status RunSubmitChecks(const LogicalGraph& graph) {
  std::string problems;
  for (const LogicalNode& node : graph.nodes) {
    for (const auto& check : node.submit_checks) {
      const absl::Status status = check();
      if (status.ok()) continue;
      problems += fmt::format("{}operator '{}': {}", problems.empty() ? "" : "\n", node.name, MessageOf(status));
    }
  }
  return problems.empty() ? absl::OkStatus() : FailedPrecondition("{}", problems);
}

}  // namespace

MetricRegistry& ProcessRegistry() {
  static auto* registry = new MetricRegistry();
  return *registry;
}

absl::StatusOr<CompiledGraph> BuildGraph(const JobDefinition& job, const GraphRequest& request) {
  const Args args(request.arguments);
  Environment env;
  try {
    job.build(env, args);
  } catch (const std::exception& e) {
    return Aborted("the job's function threw while it built the graph: {}", e.what());
  }
  for (const std::string& error : args.errors()) env.AddError(error);
  PENSTOCK_ASSIGN_OR_RETURN(CompiledGraph compiled, Compile(env.shared_graph(), {.name = job.name,
                                                                                 .uid = job.name,
                                                                                 .parallelism = request.parallelism,
                                                                                 .key_groups = request.key_groups}));
  if (request.submitting) PENSTOCK_RETURN_IF_ERROR(RunSubmitChecks(*compiled.logical));
  return compiled;
}

worker::ExecutorFactory MakeExecutorFactory(const JobDefinition& job) {
  return [job](const proto::WorkerSpec& spec,
               worker::TaskEvents& events) -> absl::StatusOr<std::unique_ptr<worker::TaskExecutor>> {
    PENSTOCK_ASSIGN_OR_RETURN(const Config config, ConfigOf(spec));
    GraphRequest request;
    request.arguments.assign(spec.arguments().begin(), spec.arguments().end());
    request.parallelism = spec.parallelism();
    request.key_groups = static_cast<int>(config.GetInt("pipeline.max-parallelism"));
    PENSTOCK_ASSIGN_OR_RETURN(CompiledGraph graph, BuildGraph(job, request));
    PENSTOCK_ASSIGN_OR_RETURN(worker::JobExecutorOptions options, OptionsOf(spec, config));
    PENSTOCK_ASSIGN_OR_RETURN(
        std::unique_ptr<worker::TaskExecutor> executor,
        worker::JobExecutor::Create(std::move(graph), std::move(options), events, Clock::System(), ProcessRegistry()));
    return executor;
  };
}

}  // namespace penstock::program
