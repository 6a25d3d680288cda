import type { BackupOverview } from '@/api/types'

/** What of the settings can be changed, without what follows from it. */
export function settingsOf(settings: BackupOverview | undefined) {
  return {
    recipient: settings?.recipient ?? null,
    scheduled: settings?.scheduled ?? false,
    cron: settings?.cron ?? '30 2 * * *',
    zone: settings?.zone ?? 'UTC',
    full_every: settings?.full_every ?? 7,
    keep: settings?.keep ?? 30,
  }
}
