/* Large pages for a process that holds a large network: with pages of 4 KiB much of a message's
 * time goes into finding where its memory is, all the more in a virtual machine. */
#ifndef HUGEPAGES_H
#define HUGEPAGES_H

/* Asks the kernel to back what malloc will hand out by pages of 2 MiB, where it has them. Call it
 * first in main. Changes nothing but speed; does nothing where malloc is not glibc's. */
void hugepages_ask(void);

#endif
