import type { ProofBundle } from '@/lib/proof'
import type { EventRecord } from '@/lib/record'

export interface Page<T> {
  items: T[]
  next: string | null
}

// Access

export interface Me {
  user: { id: string; name: string; full_name: string; email: string; role: Role }
  privileges: string[]
  organization: string
  version: string
  public_url: string
}

export type Role = 'administrator' | 'auditor' | 'member'

export interface User {
  id: string
  name: string
  full_name: string
  email: string
  role: Role
  disabled: boolean
  created_at: string
  last_login_at: string | null
}

export interface Token {
  id: string
  name: string
  user: string
  scopes: string[]
  created_at: string
  expires_at: string | null
  last_used_at: string | null
}

export interface Settings {
  outgoing_allow: string[]
}

// Events

export interface Hit {
  position: number
  event: EventRecord
}

export interface Hits extends Page<Hit> {
  total?: number | null
  took_ms: number
  indexed_to: number
  size: number
  /** The time for one search was up before everything was read. */
  partial?: boolean
}

export interface EventDetail extends Hit {
  title: string
  severity_name: string
  leaf_hash: string
}

export type Proof = ProofBundle

export interface Related {
  groups: RelatedGroup[]
}

export interface RelatedGroup {
  by: string
  value: string
  filter: string
  items: Hit[]
  total: number | null
}

export interface EventNotifications {
  deliveries: Delivery[]
  decisions: Array<{ rule_id: string; rule_name: string; verdict: string; why: string; at: string }>
}

export interface Summary {
  rows: SummaryRow[]
  buckets: Bucket[]
  total: number
  span: string | null
  partial?: boolean
}

export interface SummaryRow {
  keys: Record<string, string>
  count: number
  first: string | null
  last: string | null
}

export interface Bucket {
  from: string
  count: number
  by: Record<string, number>
}

export interface Field {
  name: string
  kind: string
  title: string
}

export interface ValueCount {
  value: string
  count: number
}

export interface FilterCheck {
  ok: boolean
  error?: FilterFault | null
}

export interface FilterFault {
  offset: number
  length: number
  message: string
  suggestion?: string | null
}

export interface EventType {
  id: string
  category: string
  severity: string
  title: string
  message: string
  raised_by: string
}

export interface SavedFilter {
  id: string
  name: string
  filter: string
  shared: boolean
  by: string
  created_at: string
}

// Trail

export interface Checkpoint {
  size: number
  root: string
  note: string
  at: string
}

export interface Trail {
  organization: string
  origin: string
  size: number
  checkpoint: Checkpoint
  vkey: string
  self_check: { state: 'ok' | 'running' | 'failed' | 'never'; at: string | null; size: number; position?: number | null; what?: string | null }
  indexed_to: number
  bytes: number
}

// Rules, channels, deliveries, inbox

export interface Recipient {
  channel: string
  to: string[]
}

export interface RuleBody {
  name: string
  description: string
  enabled: boolean
  filter: string
  recipients: Recipient[]
  hold_seconds: number
  group_by: string[]
}

export interface Rule extends RuleBody {
  id: string
  created_at: string
  updated_at: string
  updated_by: string
  last_fired_at: string | null
  sent_30d: number
  held_30d: number
}

export interface RulePreview {
  matched: number
  sent: number
  held: number
  scanned_to?: string | null
  timeline: Array<{ from: string; sent: number; held: number }>
  first: PreviewMessage[]
  truncated: boolean
}

export interface PreviewMessage {
  at: string
  position: number
  subject: string
  text: string
  held_before: number
  email_html: string
  email_text: string
  slack: unknown
  teams: unknown
  webhook: unknown
}

export type ChannelKind = 'email' | 'slack' | 'teams' | 'webhook' | 'inbox'

export interface ChannelBody {
  name: string
  kind: ChannelKind
  enabled: boolean
  settings: Record<string, unknown>
}

export interface Channel extends ChannelBody {
  id: string
  last_ok_at: string | null
  last_error: string | null
  last_error_at: string | null
  used_by: string[]
  created_at: string
  updated_at: string
}

export interface ChannelTest {
  state: string
  attempt: Attempt
  note: string | null
}

export interface Attempt {
  at: string
  duration_ms: number
  outcome: 'ok' | 'temporary' | 'permanent'
  status: number | null
  answer: string
  request: string
}

export type DeliveryState = 'waiting' | 'sending' | 'delivered' | 'failed'

export interface Delivery {
  id: string
  rule_id: string | null
  rule_name: string | null
  channel_id: string
  channel_name: string
  kind: ChannelKind
  recipient: string
  state: DeliveryState
  attempts: number
  next_try_at: string | null
  created_at: string
  subject: string
  position: number | null
  held_before: number
  last_answer: string | null
}

export interface DeliveryDetail extends Omit<Delivery, 'attempts'> {
  text: string
  attempts: Attempt[]
}

export interface InboxItem {
  id: string
  at: string
  subject: string
  text: string
  severity: number
  severity_name: string
  position: number | null
  read_at: string | null
  acknowledged_at: string | null
  acknowledged_by: string | null
}

export interface Inbox extends Page<InboxItem> {
  unread: number
}

// Reports

export interface Column {
  field: string
  title: string
}

export interface Definition {
  id: string
  title: string
  group: string
  description: string
  builtin: boolean
  filter: string
  columns: Column[]
  available_columns: Column[]
  order: string
  range: string
}

export interface DefinitionBody {
  title: string
  description: string
  filter: string
  group?: string
  columns: Column[]
  order?: string
  range?: string
}

export interface ReportPreview {
  columns: Column[]
  rows: unknown[][]
  positions: number[]
  total: number
}

export type Format = 'csv' | 'json' | 'pdf' | 'bundle'

export interface Run {
  id: string
  report_id: string
  title: string
  format: Format
  state: 'running' | 'done' | 'failed' | 'cancelled'
  rows: number
  rows_total: number | null
  by: string
  at: string
  filter: string
  from: string | null
  to: string | null
  first_position: number | null
  last_position: number | null
  checkpoint: Checkpoint | null
  ended_at: string | null
  size_bytes: number | null
  sha256: string | null
  download: string | null
  certificate: string | null
  expires_at: string | null
  error: string | null
  emailed_to: string[]
  email_error: string | null
}

// Sources

export interface Source {
  name: string
  title: string
  mapping: string
  mapping_version: number | null
  builtin: boolean
  enabled: boolean
  first_seen_at: string | null
  last_seen_at: string | null
  events_total: number
  rate_per_minute: number
  set_aside: number
}

export interface SetAside {
  id: string
  source: string
  received_at: string
  peer: string | null
  code: string
  reason: string
  field: string | null
  record: string
  record_base64?: string
  state: string
  settled_at: string | null
  settled_by: string | null
  settled_why: string | null
}

export interface SetAsideGroup {
  source: string
  code: string
  reason: string
  records: number
  last_at: string
}

export interface SetAsidePage extends Page<SetAside> {
  groups: SetAsideGroup[]
}

export interface Mapping {
  name: string
  version: number
  hash: string
  description: string
  builtin: boolean
  program?: string
  updated_at: string | null
  updated_by: string | null
}

export interface MappingTest {
  results: Array<{ ok: boolean; events: EventRecord[]; skipped?: string; error?: string }>
  compile_errors: Array<{ line: number; column: number; message: string }>
}
