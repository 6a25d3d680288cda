import { Inbox, Mail, MessageSquare, MessagesSquare, Webhook } from 'lucide-react'
import type { ChannelKind } from '@/api/types'

export const KINDS: ReadonlyArray<{ kind: ChannelKind; title: string; about: string }> = [
  { kind: 'email', title: 'Email', about: 'Through your mail server, by SMTP.' },
  { kind: 'slack', title: 'Slack', about: 'Into a channel, by an incoming webhook.' },
  { kind: 'teams', title: 'Microsoft Teams', about: 'Into a channel, by a workflow.' },
  { kind: 'webhook', title: 'Webhook', about: 'To a program, signed as Standard Webhooks say.' },
  { kind: 'inbox', title: 'Inbox', about: 'Into the inbox of this console.' },
]

const ICONS = { email: Mail, slack: MessageSquare, teams: MessagesSquare, webhook: Webhook, inbox: Inbox }

export function KindIcon({ kind, size = 14 }: { kind: ChannelKind; size?: number }) {
  const Icon = ICONS[kind] ?? Webhook
  return <Icon size={size} aria-hidden="true" style={{ color: 'var(--dim)', flex: 'none' }} />
}

export function kindTitle(kind: ChannelKind): string {
  return KINDS.find((k) => k.kind === kind)?.title ?? kind
}
