/* The door to rabbitmq-c: its headers moved between 0.11 (Debian 12) and 0.12. */
#ifndef SIGNALBOX_BROKERS_RABBITMQ_LIBRARY_H
#define SIGNALBOX_BROKERS_RABBITMQ_LIBRARY_H

#if __has_include(<rabbitmq-c/amqp.h>)
# include <rabbitmq-c/amqp.h>
# include <rabbitmq-c/ssl_socket.h>
# include <rabbitmq-c/tcp_socket.h>
#else
# include <amqp.h>
# include <amqp_ssl_socket.h>
# include <amqp_tcp_socket.h>
#endif

#endif
