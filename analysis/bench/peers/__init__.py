"""The peers of `linehealth bench signals`: the same columns from the same tables, each as somebody who knows the tool would write it."""
