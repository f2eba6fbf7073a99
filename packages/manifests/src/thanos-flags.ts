/**
 * The flags that each version of Thanos knows, from its own help. The oldest version lists all of a component's, each
 * later one what it changed: `-` marks one that is gone, `?` one that takes no value, `!` one that is deprecated. Made
 * by scripts/thanos-flags.ts.
 */
export type ThanosComponent = "sidecar" | "query" | "query-frontend" | "store" | "compact" | "rule" | "receive";

export const thanosFlags = {
  "0.37.2": {
    sidecar: `
      auto-gomemlimit.ratio
      enable-auto-gomemlimit?
      grpc-address
      grpc-grace-period
      grpc-server-max-connection-age
      grpc-server-tls-cert
      grpc-server-tls-client-ca
      grpc-server-tls-key
      grpc-server-tls-min-version
      hash-func
      http-address
      http-grace-period
      http.config
      log.format
      log.level
      min-time
      objstore.config
      objstore.config-file
      prometheus.get_config_interval
      prometheus.get_config_timeout
      prometheus.http-client
      prometheus.http-client-file
      prometheus.ready_timeout
      prometheus.url
      reloader.config-envsubst-file
      reloader.config-file
      reloader.method
      reloader.process-name
      reloader.retry-interval
      reloader.rule-dir
      reloader.watch-interval
      request.logging-config
      request.logging-config-file
      shipper.meta-file-name
      shipper.upload-compacted?
      store.limits.request-samples
      store.limits.request-series
      tracing.config
      tracing.config-file
      tsdb.path
    `,
    query: `
      alert.query-url
      auto-gomemlimit.ratio
      enable-auto-gomemlimit?
      endpoint
      endpoint-group
      endpoint-group-strict
      endpoint-strict
      grpc-address
      grpc-client-server-name
      grpc-client-tls-ca
      grpc-client-tls-cert
      grpc-client-tls-key
      grpc-client-tls-secure?
      grpc-client-tls-skip-verify?
      grpc-compression
      grpc-grace-period
      grpc-server-max-connection-age
      grpc-server-tls-cert
      grpc-server-tls-client-ca
      grpc-server-tls-key
      grpc-server-tls-min-version
      http-address
      http-grace-period
      http.config
      log.format
      log.level
      query.active-query-path
      query.auto-downsampling?
      query.conn-metric.label
      query.default-evaluation-interval
      query.default-step
      query.default-tenant-id
      query.enable-x-functions?
      query.enforce-tenancy?
      query.lookback-delta
      query.max-concurrent
      query.max-concurrent-select
      query.metadata.default-time-range
      query.mode
      query.partial-response?
      query.partition-label
      query.promql-engine
      query.replica-label
      query.telemetry.request-duration-seconds-quantiles
      query.telemetry.request-samples-quantiles
      query.telemetry.request-series-seconds-quantiles
      query.tenant-certificate-field
      query.tenant-header
      query.tenant-label-name
      query.timeout
      request.logging-config
      request.logging-config-file
      selector-label
      selector.relabel-config
      selector.relabel-config-file
      store!
      store-strict!
      store.limits.request-samples
      store.limits.request-series
      store.response-timeout
      store.sd-dns-interval
      store.sd-files
      store.sd-interval
      store.unhealthy-timeout
      tracing.config
      tracing.config-file
      web.disable-cors?
      web.external-prefix
      web.prefix-header
      web.route-prefix
    `,
    "query-frontend": `
      auto-gomemlimit.ratio
      cache-compression-type
      enable-auto-gomemlimit?
      http-address
      http-grace-period
      http.config
      labels.default-time-range
      labels.max-query-parallelism
      labels.max-retries-per-request
      labels.partial-response?
      labels.response-cache-config
      labels.response-cache-config-file
      labels.response-cache-max-freshness
      labels.split-interval
      log.format
      log.level
      query-frontend.compress-responses?
      query-frontend.downstream-tripper-config
      query-frontend.downstream-tripper-config-file
      query-frontend.downstream-url
      query-frontend.enable-x-functions?
      query-frontend.force-query-stats?
      query-frontend.forward-header
      query-frontend.log-queries-longer-than
      query-frontend.org-id-header!
      query-frontend.slow-query-logs-user-header
      query-frontend.vertical-shards
      query-range.align-range-with-step?
      query-range.horizontal-shards
      query-range.max-query-length
      query-range.max-query-parallelism
      query-range.max-retries-per-request
      query-range.max-split-interval
      query-range.min-split-interval
      query-range.partial-response?
      query-range.request-downsampled?
      query-range.response-cache-config
      query-range.response-cache-config-file
      query-range.response-cache-max-freshness
      query-range.split-interval
      request.logging-config
      request.logging-config-file
      tracing.config
      tracing.config-file
      web.disable-cors?
    `,
    store: `
      auto-gomemlimit.ratio
      block-discovery-strategy
      block-meta-fetch-concurrency
      block-sync-concurrency
      bucket-web-label
      cache-index-header?
      chunk-pool-size
      consistency-delay
      data-dir
      enable-auto-gomemlimit?
      grpc-address
      grpc-grace-period
      grpc-server-max-connection-age
      grpc-server-tls-cert
      grpc-server-tls-client-ca
      grpc-server-tls-key
      grpc-server-tls-min-version
      http-address
      http-grace-period
      http.config
      ignore-deletion-marks-delay
      index-cache-size
      index-cache.config
      index-cache.config-file
      log.format
      log.level
      max-time
      min-time
      objstore.config
      objstore.config-file
      request.logging-config
      request.logging-config-file
      selector.relabel-config
      selector.relabel-config-file
      store.caching-bucket.config
      store.caching-bucket.config-file
      store.enable-index-header-lazy-reader?
      store.enable-lazy-expanded-postings?
      store.grpc.downloaded-bytes-limit
      store.grpc.series-max-concurrency
      store.grpc.series-sample-limit!
      store.grpc.touched-series-limit!
      store.index-header-lazy-download-strategy
      store.limits.request-samples
      store.limits.request-series
      sync-block-duration
      tracing.config
      tracing.config-file
      web.disable-cors?
      web.disable?
      web.external-prefix
      web.prefix-header
    `,
    compact: `
      auto-gomemlimit.ratio
      block-discovery-strategy
      block-files-concurrency
      block-meta-fetch-concurrency
      block-viewer.global.sync-block-interval
      block-viewer.global.sync-block-timeout
      bucket-web-label
      compact.blocks-fetch-concurrency
      compact.cleanup-interval
      compact.concurrency
      compact.enable-vertical-compaction?
      compact.progress-interval
      consistency-delay
      data-dir
      debug.halt-on-error?
      deduplication.func
      deduplication.replica-label
      delete-delay
      disable-admin-operations?
      downsample.concurrency
      downsampling.disable?
      enable-auto-gomemlimit?
      hash-func
      http-address
      http-grace-period
      http.config
      log.format
      log.level
      max-time
      min-time
      objstore.config
      objstore.config-file
      retention.resolution-1h
      retention.resolution-5m
      retention.resolution-raw
      selector.relabel-config
      selector.relabel-config-file
      tracing.config
      tracing.config-file
      wait-interval
      wait?
      web.disable-cors?
      web.disable?
      web.external-prefix
      web.prefix-header
      web.route-prefix
    `,
    rule: `
      alert.label-drop
      alert.query-template
      alert.query-url
      alert.relabel-config
      alert.relabel-config-file
      alertmanagers.config
      alertmanagers.config-file
      alertmanagers.sd-dns-interval
      alertmanagers.send-timeout
      alertmanagers.url
      auto-gomemlimit.ratio
      data-dir
      enable-auto-gomemlimit?
      eval-interval
      for-grace-period
      for-outage-tolerance
      grpc-address
      grpc-grace-period
      grpc-query-endpoint
      grpc-server-max-connection-age
      grpc-server-tls-cert
      grpc-server-tls-client-ca
      grpc-server-tls-key
      grpc-server-tls-min-version
      hash-func
      http-address
      http-grace-period
      http.config
      label
      log.format
      log.level
      objstore.config
      objstore.config-file
      query
      query.config
      query.config-file
      query.default-step
      query.enable-x-functions?
      query.http-method
      query.sd-dns-interval
      query.sd-files
      query.sd-interval
      remote-write.config
      remote-write.config-file
      request.logging-config
      request.logging-config-file
      resend-delay
      restore-ignored-label
      rule-concurrent-evaluation
      rule-file
      shipper.meta-file-name
      shipper.upload-compacted?
      store.limits.request-samples
      store.limits.request-series
      tracing.config
      tracing.config-file
      tsdb.block-duration
      tsdb.no-lockfile?
      tsdb.retention
      tsdb.wal-compression?
      web.disable-cors?
      web.external-prefix
      web.prefix-header
      web.route-prefix
    `,
    receive: `
      auto-gomemlimit.ratio
      enable-auto-gomemlimit?
      enable-feature
      grpc-address
      grpc-grace-period
      grpc-server-max-connection-age
      grpc-server-tls-cert
      grpc-server-tls-client-ca
      grpc-server-tls-key
      grpc-server-tls-min-version
      hash-func
      http-address
      http-grace-period
      http.config
      label
      log.format
      log.level
      objstore.config
      objstore.config-file
      receive.capnproto-address
      receive.default-tenant-id
      receive.forward.async-workers
      receive.grpc-compression
      receive.hashrings
      receive.hashrings-algorithm
      receive.hashrings-file
      receive.hashrings-file-refresh-interval
      receive.local-endpoint
      receive.relabel-config
      receive.relabel-config-file
      receive.replica-header
      receive.replication-factor
      receive.replication-protocol
      receive.split-tenant-label-name
      receive.tenant-certificate-field
      receive.tenant-header
      receive.tenant-label-name
      remote-write.address
      remote-write.client-server-name
      remote-write.client-tls-ca
      remote-write.client-tls-cert
      remote-write.client-tls-key
      remote-write.client-tls-secure?
      remote-write.client-tls-skip-verify?
      remote-write.server-tls-cert
      remote-write.server-tls-client-ca
      remote-write.server-tls-key
      remote-write.server-tls-min-version
      request.logging-config
      request.logging-config-file
      store.limits.request-samples
      store.limits.request-series
      tracing.config
      tracing.config-file
      tsdb.allow-overlapping-blocks?
      tsdb.max-exemplars
      tsdb.max-retention-bytes
      tsdb.no-lockfile?
      tsdb.path
      tsdb.retention
      tsdb.too-far-in-future.time-window
      tsdb.wal-compression?
    `,
  },
  "0.38.0": {
    sidecar: `
    `,
    query: `
      -store
      -store-strict
      deduplication.func
      endpoint!
      endpoint-group!
      endpoint-group-strict!
      endpoint-strict!
      endpoint.sd-config
      endpoint.sd-config-file
      endpoint.sd-config-reload-interval
      store.sd-files!
      store.sd-interval!
    `,
    "query-frontend": `
    `,
    store: `
      matcher-cache-size
      store.posting-group-max-key-series-ratio
    `,
    compact: `
    `,
    rule: `
      rule-query-offset
    `,
    receive: `
      matcher-cache-size
      receive.grpc-service-config
      receive.otlp-enable-target-info?
      receive.otlp-promote-resource-attributes
      tsdb.block.expanded-postings-cache-size
      tsdb.head.expanded-postings-cache-size
      tsdb.out-of-order.cap-max
      tsdb.out-of-order.time-window
    `,
  },
  "0.39.2": {
    sidecar: `
    `,
    query: `
      enable-feature
    `,
    "query-frontend": `
      enable-feature
    `,
    store: `
      disable-admin-operations?
    `,
    compact: `
    `,
    rule: `
      enable-feature
    `,
    receive: `
      receive.lazy-retrieval-max-buffered-responses
      tsdb.enable-native-histograms?
    `,
  },
  "0.40.1": {
    sidecar: `
    `,
    query: `
    `,
    "query-frontend": `
    `,
    store: `
    `,
    compact: `
    `,
    rule: `
      tsdb.enable-native-histograms?
    `,
    receive: `
    `,
  },
  "0.41.0": {
    sidecar: `
      shipper.upload-concurrency
    `,
    query: `
    `,
    "query-frontend": `
    `,
    store: `
    `,
    compact: `
    `,
    rule: `
      shipper.upload-concurrency
      tsdb.enable-native-histograms?!
    `,
    receive: `
      shipper.upload-concurrency
      tsdb.enable-native-histograms?!
    `,
  },
  "0.42.4": {
    sidecar: `
      grpc-server-tls-ciphers
      grpc-server-tls-curves
    `,
    query: `
      grpc-client-server-name!
      grpc-client-tls-ca!
      grpc-client-tls-cert!
      grpc-client-tls-key!
      grpc-client-tls-min-version!
      grpc-client-tls-secure?!
      grpc-client-tls-skip-verify?!
      grpc-compression!
      grpc-server-tls-ciphers
      grpc-server-tls-curves
    `,
    "query-frontend": `
      query.max-retries-per-request
    `,
    store: `
      grpc-server-tls-ciphers
      grpc-server-tls-curves
      objstore-parquet.config
      objstore-parquet.config-file
    `,
    compact: `
    `,
    rule: `
      grpc-server-tls-ciphers
      grpc-server-tls-curves
    `,
    receive: `
      grpc-server-tls-ciphers
      grpc-server-tls-curves
      remote-write.client-tls-min-version
      remote-write.server-tls-ciphers
      remote-write.server-tls-curves
    `,
  },
} as const satisfies Readonly<Record<string, Readonly<Record<ThanosComponent, string>>>>;
