// The names the console uses for what the server's description calls them. schema.d.ts is generated: `npm run api`.
import type { EventRecord } from '@/lib/record'
import type { components } from './schema'

type Schemas = components['schemas']
/** Any event may have any field, so the description can't say more than "an object". */
type WithEvent<T> = Omit<T, 'event'> & { event: EventRecord }

export type Me = Schemas['Me']
export type Role = Schemas['Role']
export type User = Schemas['User']
export type Token = Schemas['Token']
export type Privilege = Schemas['Privilege']
export type Settings = Schemas['Settings']

export type Hit = WithEvent<Schemas['Found']>
export type Hits = Omit<Schemas['EventPage'], 'items'> & { items: Hit[] }
export type EventDetail = WithEvent<Schemas['EventDetail']>
export type RelatedGroup = Omit<Schemas['RelatedGroup'], 'items'> & { items: Hit[] }
export type Related = { groups: RelatedGroup[] }
export type Summary = Schemas['EventSummary']
export type SummaryRow = Schemas['SummaryRow']
export type Field = Schemas['FieldInfo']
export type FilterFault = Schemas['FilterProblem']
export type Trail = Schemas['TrailState']
export type Witness = Schemas['WitnessState']

export type Rule = Schemas['Rule']
export type RuleBody = Pick<Rule, 'name' | 'description' | 'enabled' | 'filter' | 'hold_seconds' | 'group_by'> & { recipients: Recipient[] }
export type Recipient = Omit<Schemas['Recipient'], 'to'> & { to: string[] }
export type RulePreview = Schemas['Preview']
export type PreviewMessage = Schemas['PreviewMessage']
export type ChannelKind = Schemas['ChannelKind']
export type Channel = Omit<Schemas['Channel'], 'settings'> & { settings: Record<string, unknown> }
export type ChannelBody = Pick<Channel, 'name' | 'kind' | 'enabled' | 'settings'>
export type ChannelTest = Schemas['TestResult']
export type Attempt = Schemas['Attempt']
export type DeliveryState = Schemas['DeliveryState']
export type Delivery = Schemas['Delivery']
export type InboxItem = Schemas['InboxItem']

export type Column = Schemas['Column']
export type Definition = Schemas['Definition']
export type ReportPreview = Schemas['ReportPreview']
export type Format = Schemas['Format']
export type Run = Schemas['Run']

export type Backup = Schemas['Backup']
export type BackupOverview = Schemas['BackupOverview']
export type MasterKeyMade = Schemas['MasterKeyMade']

export type Source = Schemas['Source']
export type SourceHealth = Schemas['SourceHealth']
export type SourceHealthDetail = Schemas['SourceHealthDetail']
export type Gap = Schemas['Gap']
export type SelectionRule = Schemas['SelectionRule']
export type SelectionPreview = Schemas['SelectionPreview']
export type Application = Schemas['Application']
export type Grant = Schemas['Grant']
export type Device = Schemas['Device']
export type Enrolment = Schemas['Enrolment']
export type EnrolmentMade = Schemas['EnrolmentMade']
export type Hook = Schemas['Hook']
export type HookScheme = Schemas['HookScheme']
export type HookMade = Schemas['HookMade']
export type Input = Omit<Schemas['Input'], 'settings'> & { settings: Record<string, unknown> }
export type InputKind = Schemas['InputKind']
export type SetAside = Schemas['SetAside']
export type SetAsideGroup = Schemas['SetAsideGroup']
export type ReplayJob = Schemas['ReplayJob']
export type Mapping = Schemas['Mapping']
export type MappingVersion = Schemas['MappingVersion']
export type MappingTest = Schemas['MappingTestResults']
export type MappingResult = Schemas['MappingTestResult']
export type MappingReference = Schemas['MappingReference']
export type CompileError = Schemas['CompileError']
export type DryRun = Schemas['DryRunResult']
export type Proposal = Schemas['Proposal']

export type Policy = Schemas['Policy']
export type RetentionRules = Schemas['Retention']
export type Removal = Schemas['Removal']
export type Hold = Schemas['Hold']
export type Erasure = Schemas['Erasure']
