import { Button } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { Empty } from '@/ui/Empty'
import { Page } from '@/ui/Page'

export function Missing() {
  return (
    <Page title="Not here">
      <Empty
        title="There is no such page"
        action={
          <Button component={Link} to="/">
            To the overview
          </Button>
        }
      >
        The address may be from a newer version, or it was cut short.
      </Empty>
    </Page>
  )
}
