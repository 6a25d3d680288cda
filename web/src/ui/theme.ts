import { createTheme, defaultVariantColorsResolver, type CSSVariablesResolver, type MantineColorsTuple } from '@mantine/core'

// Bell bronze: the one accent. Shade 6 carries white text on light, shade 4 stands on dark.
const bronze: MantineColorsTuple = ['#fbf3ea', '#f3e3d1', '#e7c9a8', '#dcb083', '#d9985f', '#c07a3f', '#a0591f', '#8a4c1b', '#713e17', '#573012']

// Neutrals are slightly warm.
const gray: MantineColorsTuple = ['#faf8f5', '#f4f1ec', '#ebe6de', '#e0d9cf', '#cfc7ba', '#b3a999', '#8a8174', '#6b6358', '#4b453d', '#26221d']
const dark: MantineColorsTuple = ['#ece7df', '#cfc8bd', '#a89f92', '#7d7468', '#4a443c', '#35302a', '#26231f', '#1c1a17', '#171512', '#100e0c']
const red: MantineColorsTuple = ['#fdf0ee', '#fadbd7', '#f3b5ae', '#ee8f86', '#f2695f', '#d23d33', '#b3261e', '#971e17', '#7b1912', '#5d120d']
const green: MantineColorsTuple = ['#eef6ef', '#d6ead8', '#abd4b0', '#7fbd87', '#62ac6c', '#3f8f4b', '#2c7438', '#245f2e', '#1c4b24', '#14371a']

export const theme = createTheme({
  colors: { bronze, gray, dark, red, green },
  primaryColor: 'bronze',
  primaryShade: { light: 6, dark: 4 },
  // What stands on the accent is white in the light scheme and nearly black in the dark one.
  variantColorResolver: (input) => {
    const colors = defaultVariantColorsResolver(input)
    return input.variant === 'filled' && (input.color === undefined || input.color === 'bronze') ? { ...colors, color: 'var(--on-accent)' } : colors
  },
  black: '#26221d',
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif',
  fontFamilyMonospace: 'ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace',
  fontSizes: { xs: '0.75rem', sm: '0.8125rem', md: '0.875rem', lg: '1rem', xl: '1.25rem' },
  spacing: { xs: '4px', sm: '8px', md: '12px', lg: '16px', xl: '24px' },
  radius: { xs: '3px', sm: '4px', md: '6px', lg: '8px', xl: '12px' },
  defaultRadius: 'sm',
  cursorType: 'pointer',
  headings: { fontWeight: '600', sizes: { h1: { fontSize: '1.125rem' }, h2: { fontSize: '0.9375rem' }, h3: { fontSize: '0.875rem' } } },
  components: {
    Button: { defaultProps: { size: 'xs' } },
    TextInput: { defaultProps: { size: 'sm' } },
    PasswordInput: { defaultProps: { size: 'sm' } },
    NumberInput: { defaultProps: { size: 'sm' } },
    Textarea: { defaultProps: { size: 'sm' } },
    Select: { defaultProps: { size: 'sm', allowDeselect: false, comboboxProps: { shadow: 'md' } } },
    TagsInput: { defaultProps: { size: 'sm' } },
    MultiSelect: { defaultProps: { size: 'sm' } },
    Checkbox: { defaultProps: { size: 'xs', iconColor: 'var(--on-accent)' } },
    Switch: { defaultProps: { size: 'xs' } },
    SegmentedControl: { defaultProps: { size: 'xs' } },
    ActionIcon: { defaultProps: { variant: 'subtle', color: 'gray', size: 28 } },
    Menu: { defaultProps: { shadow: 'md', position: 'bottom-end' } },
    Popover: { defaultProps: { shadow: 'md' } },
    Modal: { defaultProps: { centered: true, radius: 'md', padding: 'lg', transitionProps: { duration: 120 } } },
    Tooltip: { defaultProps: { openDelay: 350, withArrow: false, fz: 'xs', color: 'dark.6', c: 'gray.1' } },
  },
})

/** Colours with a meaning. Everything that is drawn uses these names, so that both schemes are decided in this one place. */
export const variables: CSSVariablesResolver = () => ({
  variables: {
    '--mono': 'var(--mantine-font-family-monospace)',
  },
  light: {
    '--mantine-color-body': '#ffffff',
    '--mantine-color-dimmed': '#6b6358',
    '--mantine-color-error': '#b3261e',
    '--mantine-color-placeholder': '#756c60',
    '--mantine-color-default-border': '#d8d0c5',
    '--ground': '#faf8f5',
    '--surface': '#ffffff',
    '--sunken': '#f4f1ec',
    '--line': '#e6e0d7',
    '--line-strong': '#cfc7ba',
    '--text': '#26221d',
    '--dim': '#6b6358',
    '--faint': '#8a8174',
    '--accent': '#a0591f',
    '--on-accent': '#ffffff',
    '--code': '#2b66a5',
    '--accent-soft': '#f7ebdf',
    '--hover': '#f7f3ee',
    '--chosen': '#f8ecdf',
    '--ok': '#2c7438',
    '--ok-soft': '#e8f3e9',
    '--warn': '#8f5f00',
    '--warn-soft': '#fbf1da',
    '--bad': '#b3261e',
    '--bad-soft': '#fcecea',
    '--sev-info': '#948b7e',
    '--sev-low': '#3b7dc4',
    '--sev-medium': '#c08a0c',
    '--sev-high': '#d9661f',
    '--sev-critical': '#b3261e',
    '--shadow': '0 1px 2px rgb(60 45 25 / 6%), 0 8px 24px rgb(60 45 25 / 12%)',
  },
  dark: {
    '--mantine-color-body': '#1e1b18',
    '--mantine-color-text': '#ece7df',
    '--mantine-color-dimmed': '#aca396',
    '--mantine-color-error': '#f2857d',
    '--mantine-color-placeholder': '#968d80',
    '--mantine-color-default-border': '#433d35',
    '--mantine-color-default': '#26231f',
    '--mantine-color-default-hover': '#302c27',
    '--ground': '#171512',
    '--surface': '#1e1b18',
    '--sunken': '#262320',
    '--line': '#332e29',
    '--line-strong': '#4a443c',
    '--text': '#ece7df',
    '--dim': '#aca396',
    '--faint': '#8f8679',
    '--accent': '#d9985f',
    '--on-accent': '#1c1206',
    '--code': '#7db1ea',
    '--accent-soft': '#3a2a1c',
    '--hover': '#25221e',
    '--chosen': '#362819',
    '--ok': '#7fbd87',
    '--ok-soft': '#1d2e20',
    '--warn': '#e0b04b',
    '--warn-soft': '#352a14',
    '--bad': '#f2857d',
    '--bad-soft': '#3c1f1c',
    '--sev-info': '#8b8377',
    '--sev-low': '#5f9bdc',
    '--sev-medium': '#dcb045',
    '--sev-high': '#ec843c',
    '--sev-critical': '#ec5f55',
    '--shadow': '0 1px 2px rgb(0 0 0 / 30%), 0 8px 28px rgb(0 0 0 / 45%)',
  },
})
