// What the handlers share. Constant after construction; each member is thread-safe.
#ifndef PENSTOCK_JOBMANAGER_REST_REST_CONTEXT_H_
#define PENSTOCK_JOBMANAGER_REST_REST_CONTEXT_H_

#include "jobmanager/commands.h"
#include "jobmanager/rest/operations.h"
#include "jobmanager/rest/program_store.h"
#include "jobmanager/rest/rate_tracker.h"
#include "jobmanager/rest/rest_server.h"
#include "jobmanager/snapshot.h"
#include "runtime/core/clock.h"
#include "runtime/core/http/router.h"

namespace penstock::jobmanager {

struct RestContext {
  const RestOptions options;
  const SnapshotHolder& snapshots;
  Commands& commands;
  ProgramStore& programs;
  const Clock& clock;
  RateTracker rates = {};
  Operations operations{clock};
};

// Each adds its routes to the router; the context outlives it.
void AddFlinkRoutes(RestContext* context, http::Router* router);
void AddJobRoutes(RestContext* context, http::Router* router);     // /v2/jobs
void AddMemoryRoutes(RestContext* context, http::Router* router);  // /v2/jobs/:jobid/memory
void AddCheckpointRoutes(RestContext* context, http::Router* router);
void AddProgramRoutes(RestContext* context, http::Router* router);  // /v2/programs
void AddProcessRoutes(RestContext* context, http::Router* router);  // /v2/processes

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_REST_REST_CONTEXT_H_
