from moto.server import main

from motoshim import resources, stacks

resources.install()
stacks.install()
main()
